// Package sdktest compares a stand-in's types with those of the SDK that programs are written against.
package sdktest

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const packages = "../../../../node_modules/@pulumi"

var resourceInput = regexp.MustCompile(`resourceInputs\["(\w+)"\]`)

// Compare fails where state, a struct with JSON names, has not just the properties of the SDK's resource.
func Compare(t *testing.T, file string, state any, leftOut ...string) {
	t.Helper()
	code, err := os.ReadFile(filepath.Join(packages, file))
	if err != nil {
		t.Skip("the SDK is not installed")
	}
	var theirs []string
	for _, match := range resourceInput.FindAllStringSubmatch(string(code), -1) {
		if !slices.Contains(leftOut, match[1]) {
			theirs = append(theirs, match[1])
		}
	}
	slices.Sort(theirs)
	theirs = slices.Compact(theirs)

	ours := names(reflect.TypeOf(state))
	slices.Sort(ours)
	if !slices.Equal(ours, theirs) {
		t.Errorf("%s has %v, the stand-in %v", file, theirs, ours)
	}
}

func names(state reflect.Type) []string {
	var found []string
	for i := range state.NumField() {
		field := state.Field(i)
		if field.Anonymous {
			found = append(found, names(field.Type)...)
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		found = append(found, name)
	}
	return found
}
