package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRequiredPackages(t *testing.T) {
	project := t.TempDir()
	modules := filepath.Join(project, "node_modules")
	write(t, filepath.Join(modules, "@pulumi", "docker", "package.json"),
		`{"name": "@pulumi/docker", "version": "5.2.0", "pulumi": {"resource": true, "name": "docker"}}`)
	write(t, filepath.Join(modules, "outer", "node_modules", "@acme", "cloud", "package.json"),
		`{"name": "@acme/cloud", "version": "1.0.0", "pulumi": {"resource": true}}`)
	write(t, filepath.Join(modules, "plain", "package.json"), `{"name": "plain", "version": "1.0.0"}`)
	write(t, filepath.Join(modules, "broken", "package.json"), `{`)

	response, err := newHost(context.Background(), nil, "").GetRequiredPackages(context.Background(),
		&pulumirpc.GetRequiredPackagesRequest{Info: &pulumirpc.ProgramInfo{ProgramDirectory: filepath.Join(project, "sub")}})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, required := range response.GetPackages() {
		found = append(found, required.GetName()+" "+required.GetVersion())
	}
	slices.Sort(found)
	if want := []string{"acme/cloud v1.0.0", "docker v5.2.0"}; !slices.Equal(found, want) {
		t.Errorf("found %v", found)
	}
}

func TestOptions(t *testing.T) {
	given, _ := structpb.NewStruct(map[string]any{"typescript": false, "nodeargs": `--import "./a b.mjs" --trace`})
	parsed, err := parseOptions(given)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(parsed.nodeArgs, []string{"--import", "./a b.mjs", "--trace"}) || len(parsed.environment()) > 0 {
		t.Errorf("parsed %+v", parsed)
	}
	if plain, _ := parseOptions(nil); !slices.Contains(plain.environment(), "PULUMI_NODEJS_TYPESCRIPT=true") {
		t.Error("TypeScript is on where Pulumi.yaml says nothing")
	}
	wrong, _ := structpb.NewStruct(map[string]any{"typescript": "no"})
	if _, err := parseOptions(wrong); err == nil {
		t.Error("a word is not a switch")
	}
}

func TestConfigGoesByTheEnvironment(t *testing.T) {
	env, err := configEnvironment(&pulumirpc.RunRequest{
		Config: map[string]string{"p:password": "secret"}, ConfigSecretKeys: []string{"p:password"},
	})
	want := []string{`PULUMI_CONFIG={"p:password":"secret"}`, `PULUMI_CONFIG_SECRET_KEYS=["p:password"]`}
	if err != nil || !slices.Equal(env, want) {
		t.Errorf("env is %v, %v", env, err)
	}
}
