package standin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/types/known/structpb"
)

// unknownValue is how the engine's protocol writes a value that a preview cannot know.
const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

func unknown() *structpb.Value { return structpb.NewStringValue(unknownValue) }

// withoutInternal copies properties without the engine's own and without those that are null, which means left out.
func withoutInternal(properties *structpb.Struct) *structpb.Struct {
	kept := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for name, value := range properties.GetFields() {
		if _, null := value.GetKind().(*structpb.Value_NullValue); !null && !strings.HasPrefix(name, "__") {
			kept.Fields[name] = value
		}
	}
	return kept
}

// withoutUnknowns copies the properties that are known altogether: only their types can be checked.
func withoutUnknowns(properties *structpb.Struct) *structpb.Struct {
	kept := &structpb.Struct{Fields: map[string]*structpb.Value{}}
	for name, value := range properties.GetFields() {
		if !hasUnknown(value) {
			kept.Fields[name] = value
		}
	}
	return kept
}

func hasUnknown(value *structpb.Value) bool {
	switch kind := value.GetKind().(type) {
	case *structpb.Value_StringValue:
		return kind.StringValue == unknownValue
	case *structpb.Value_ListValue:
		for _, element := range kind.ListValue.GetValues() {
			if hasUnknown(element) {
				return true
			}
		}
	case *structpb.Value_StructValue:
		for _, element := range kind.StructValue.GetFields() {
			if hasUnknown(element) {
				return true
			}
		}
	}
	return false
}

func decode(properties *structpb.Struct, into any) error {
	text, err := json.Marshal(withoutInternal(properties).AsMap())
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// decodeStrict also refuses properties that the type does not have.
func decodeStrict(properties *structpb.Struct, into any) error {
	text, err := json.Marshal(withoutInternal(properties).AsMap())
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// failure words what is wrong with the arguments for the user, who knows nothing of JSON.
func failure(err error) *pulumirpc.CheckFailure {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		name := wrong.Field[strings.LastIndex(wrong.Field, ".")+1:]
		return &pulumirpc.CheckFailure{Property: name, Reason: fmt.Sprintf("is a %s, not a %s", wrong.Value, wrong.Type)}
	}
	return &pulumirpc.CheckFailure{Reason: strings.TrimPrefix(err.Error(), "json: ")}
}

func encode(state any) (*structpb.Struct, error) {
	text, err := json.Marshal(state)
	if err != nil {
		return nil, err
	}
	var properties map[string]any
	if err := json.Unmarshal(text, &properties); err != nil {
		return nil, err
	}
	return structpb.NewStruct(properties)
}
