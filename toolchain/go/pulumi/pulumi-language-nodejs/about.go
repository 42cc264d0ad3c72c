package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// About describes the Node.js that programs run with.
func (h *host) About(ctx context.Context, _ *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	cmd, err := h.command(ctx, "node", "--version")
	if err != nil {
		return nil, err
	}
	output, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	return &pulumirpc.AboutResponse{
		Executable: cmd.Path,
		Version:    strings.TrimSpace(string(output)),
		Metadata:   map[string]string{"languageHost": "pgstack stand-in", "packagemanager": "npm"},
	}, nil
}

// GetProgramDependencies lists the installed packages: those the program names, or all of them.
func (h *host) GetProgramDependencies(
	_ context.Context, req *pulumirpc.GetProgramDependenciesRequest,
) (*pulumirpc.GetProgramDependenciesResponse, error) {
	dir := req.GetInfo().GetProgramDirectory()
	named := namedDependencies(dir)
	seen := map[string]bool{}
	response := &pulumirpc.GetProgramDependenciesResponse{}
	for _, modules := range nodeModules(dir) {
		for _, packageDir := range packageDirs(modules) {
			pkg, ok := readPackage(packageDir)
			id := pkg.Name + "@" + pkg.Version
			if !ok || seen[id] || (!req.GetTransitiveDependencies() && !named[pkg.Name]) {
				continue
			}
			seen[id] = true
			response.Dependencies = append(response.Dependencies,
				&pulumirpc.DependencyInfo{Name: pkg.Name, Version: pkg.Version})
		}
	}
	sort.Slice(response.Dependencies, func(i, j int) bool {
		return response.Dependencies[i].GetName() < response.Dependencies[j].GetName()
	})
	return response, nil
}

// namedDependencies reads the names in the program's own package.json; a program without one names none.
func namedDependencies(dir string) map[string]bool {
	var pkg struct {
		Dependencies    map[string]string `json:"dependencies"`
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if text, err := os.ReadFile(filepath.Join(dir, "package.json")); err == nil {
		_ = json.Unmarshal(text, &pkg)
	}
	named := map[string]bool{}
	for name := range pkg.Dependencies {
		named[name] = true
	}
	for name := range pkg.DevDependencies {
		named[name] = true
	}
	return named
}
