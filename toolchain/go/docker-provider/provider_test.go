package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
)

const sdk = "../../../node_modules/@pulumi/docker"

var (
	resourceInput = regexp.MustCompile(`resourceInputs\["(\w+)"\]`)
	inputType     = regexp.MustCompile(`(?s)export interface (\w+) \{(.*?)\n}`)
	property      = regexp.MustCompile(`(?m)^    (\w+)\??:`)
)

// TestNamesAreTheSDKs compares each resource's properties, nested ones included, with those of @pulumi/docker.
func TestNamesAreTheSDKs(t *testing.T) {
	types, err := os.ReadFile(filepath.Join(sdk, "types", "input.d.ts"))
	if err != nil {
		t.Skip("@pulumi/docker is not installed")
	}
	info, err := provider()
	if err != nil {
		t.Fatal(err)
	}
	for name, resource := range info.Resources {
		class := resource.Tok.Name().String()
		code, err := os.ReadFile(filepath.Join(sdk, strings.ToLower(class[:1])+class[1:]+".js"))
		if err != nil {
			t.Errorf("%s: the SDK has no %s", name, class)
			continue
		}
		schema := info.P.ResourcesMap().Get(name).Schema()
		own := slices.DeleteFunc(names(schema, resource.Fields), func(name string) bool { return name == "id" })
		same(t, class, own, unique(resourceInput, string(code)))

		var nested []string
		for _, declared := range inputType.FindAllStringSubmatch(string(types), -1) {
			if strings.HasPrefix(declared[1], class) && (class != "Service" || !strings.HasPrefix(declared[1], "ServiceConfig")) {
				nested = append(nested, unique(property, declared[2])...)
			}
		}
		slices.Sort(nested)
		same(t, class+" (nested)", nestedNames(schema), slices.Compact(nested))
	}
}

func same(t *testing.T, what string, ours, theirs []string) {
	t.Helper()
	for _, name := range ours {
		if !slices.Contains(theirs, name) {
			t.Errorf("%s: the SDK has no %s", what, name)
		}
	}
	for _, name := range theirs {
		if !slices.Contains(ours, name) {
			t.Errorf("%s: the SDK also has %s", what, name)
		}
	}
}

func unique(pattern *regexp.Regexp, text string) []string {
	var found []string
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func names(schema shim.SchemaMap, fields map[string]*tfbridge.SchemaInfo) []string {
	var found []string
	for name := range schema.Range {
		found = append(found, tfbridge.TerraformToPulumiNameV2(name, schema, fields))
	}
	slices.Sort(found)
	return found
}

func nestedNames(schema shim.SchemaMap) []string {
	var found []string
	for _, property := range schema.Range {
		if block, ok := property.Elem().(shim.Resource); ok {
			found = append(found, names(block.Schema(), nil)...)
			found = append(found, nestedNames(block.Schema())...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
