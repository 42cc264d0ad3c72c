package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// nodeModules lists the node_modules folders that serve a program, the nearest first, as Node.js looks for them.
func nodeModules(programDir string) []string {
	var found []string
	for dir := programDir; ; dir = filepath.Dir(dir) {
		candidate := filepath.Join(dir, "node_modules")
		if info, err := os.Stat(candidate); err == nil && info.IsDir() {
			found = append(found, candidate)
		}
		if dir == filepath.Dir(dir) {
			return found
		}
	}
}

// sdkScript finds a script of @pulumi/pulumi. Looking it up here saves starting node a second time only to ask it.
func sdkScript(programDir, name string) (string, error) {
	for _, modules := range nodeModules(programDir) {
		script := filepath.Join(modules, "@pulumi", "pulumi", "cmd", name, "index.js")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
	}
	return "", fmt.Errorf("@pulumi/pulumi is not installed for %s: run npm install there", programDir)
}
