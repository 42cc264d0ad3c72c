package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// packageJSON is what matters here of an npm package's package.json.
type packageJSON struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Pulumi  struct {
		Resource         bool              `json:"resource"`
		Name             string            `json:"name"`
		Version          string            `json:"version"`
		Server           string            `json:"server"`
		Parameterization *parameterization `json:"parameterization"`
		Extension        *parameterization `json:"extensionParameterization"`
	} `json:"pulumi"`
}

type parameterization struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Value   []byte `json:"value"`
}

// GetRequiredPackages names the plugins of the installed packages that say they need one.
func (h *host) GetRequiredPackages(
	_ context.Context, req *pulumirpc.GetRequiredPackagesRequest,
) (*pulumirpc.GetRequiredPackagesResponse, error) {
	var required []*pulumirpc.PackageDependency
	for _, modules := range nodeModules(req.GetInfo().GetProgramDirectory()) {
		for _, dir := range packageDirs(modules) {
			if pkg, ok := readPackage(dir); ok && pkg.Pulumi.Resource {
				dependency, err := pkg.dependency()
				if err != nil {
					return nil, fmt.Errorf("%s: %w", dir, err)
				}
				required = append(required, dependency)
			}
		}
	}
	return &pulumirpc.GetRequiredPackagesResponse{Packages: required}, nil
}

// packageDirs lists the packages of a node_modules folder, with those nested in them.
func packageDirs(modules string) []string {
	var dirs []string
	for _, pattern := range []string{"[^@.]*", "@*/[^.]*"} {
		matches, _ := filepath.Glob(filepath.Join(modules, pattern)) // fails for a bad pattern only
		for _, dir := range matches {
			dirs = append(dirs, dir)
			if nested := filepath.Join(dir, "node_modules"); isDir(nested) {
				dirs = append(dirs, packageDirs(nested)...)
			}
		}
	}
	return dirs
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// readPackage tells whether a folder holds a package; one that cannot be read needs no plugin.
func readPackage(dir string) (packageJSON, bool) {
	var pkg packageJSON
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	return pkg, err == nil && json.Unmarshal(text, &pkg) == nil
}

// dependency names the plugin: the package's own word first, else its npm name without the scope's signs.
func (pkg packageJSON) dependency() (*pulumirpc.PackageDependency, error) {
	name := pkg.Pulumi.Name
	if name == "" {
		name = strings.TrimPrefix(strings.TrimPrefix(pkg.Name, "@pulumi/"), "@")
	}
	version := pkg.Pulumi.Version
	if version == "" {
		version = pkg.Version
	}
	if name == "" || version == "" {
		return nil, fmt.Errorf("package.json asks for a plugin but has no name or no version")
	}
	return &pulumirpc.PackageDependency{
		Name:             name,
		Kind:             "resource",
		Version:          "v" + strings.TrimPrefix(version, "v"),
		Server:           pkg.Pulumi.Server,
		Parameterization: pkg.Pulumi.Parameterization.rpc(),
		Extension:        pkg.Pulumi.Extension.rpc(),
	}, nil
}

func (p *parameterization) rpc() *pulumirpc.PackageParameterization {
	if p == nil {
		return nil
	}
	return &pulumirpc.PackageParameterization{Name: p.Name, Version: p.Version, Value: p.Value}
}
