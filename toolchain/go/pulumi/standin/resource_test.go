package standin

import (
	"slices"
	"testing"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

type thingArgs struct {
	Size  int    `json:"size"`
	Label string `json:"label,omitempty"`
}

type thingState struct {
	thingArgs
	Serial string `json:"serial"`
}

var thing = Kind[thingArgs, thingState]{
	Required: []string{"size"},
	Defaults: map[string]any{"label": "none"},
	Outputs:  []string{"serial"},
	Replaces: []string{"size"},
	Create:   func(_ Call, args thingArgs) (string, thingState, error) { return "id", thingState{args, "1"}, nil },
	Update:   func(_ Call, args thingArgs, _ thingState) (thingState, error) { return thingState{args, "2"}, nil },
}

func properties(t *testing.T, values map[string]any) *structpb.Struct {
	t.Helper()
	made, err := structpb.NewStruct(values)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		inputs   map[string]any
		property string // of the failure; "-" for none
	}{
		"right":           {map[string]any{"size": 1, "__internal": true}, "-"},
		"not yet known":   {map[string]any{"size": unknownValue}, "-"},
		"left out":        {map[string]any{"size": nil}, "size"},
		"of another type": {map[string]any{"size": "big"}, "size"},
		"not to be had":   {map[string]any{"size": 1, "colour": "red"}, ""},
	} {
		response := thing.check(properties(t, test.inputs))
		failed := "-"
		if len(response.GetFailures()) > 0 {
			failed = response.GetFailures()[0].GetProperty()
		}
		if failed != test.property {
			t.Errorf("%s: %v", name, response.GetFailures())
		}
		if response.GetInputs().GetFields()["label"].GetStringValue() != "none" {
			t.Errorf("%s: the default is missing", name)
		}
	}
}

func TestDiff(t *testing.T) {
	old := properties(t, map[string]any{"size": 1, "label": "a"})
	for name, test := range map[string]struct {
		inputs          map[string]any
		diffs, replaces []string
	}{
		"none":       {map[string]any{"size": 1, "label": "a", "__defaults": []any{}}, nil, nil},
		"update":     {map[string]any{"size": 1, "label": "b"}, []string{"label"}, nil},
		"removal":    {map[string]any{"size": 1}, []string{"label"}, nil},
		"replace":    {map[string]any{"size": 2, "label": "a"}, []string{"size"}, []string{"size"}},
		"an unknown": {map[string]any{"size": 1, "label": unknownValue}, []string{"label"}, nil},
	} {
		response := thing.diff(old, properties(t, test.inputs))
		if !slices.Equal(response.GetDiffs(), test.diffs) || !slices.Equal(response.GetReplaces(), test.replaces) ||
			(response.GetChanges() == pulumirpc.DiffResponse_DIFF_SOME) != (len(test.diffs) > 0) {
			t.Errorf("%s: %v", name, response)
		}
	}
}

func TestPreviewLeavesOutputsUnknown(t *testing.T) {
	preview := thing.preview(properties(t, map[string]any{"size": unknownValue})).GetFields()
	if !hasUnknown(preview["serial"]) || !hasUnknown(preview["size"]) {
		t.Errorf("the preview is %v", preview)
	}
}
