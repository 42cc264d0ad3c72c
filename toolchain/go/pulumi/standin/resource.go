package standin

import (
	"maps"
	"slices"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// Resource is a Kind, whatever its types.
type Resource interface {
	check(inputs *structpb.Struct) *pulumirpc.CheckResponse
	diff(oldInputs, inputs *structpb.Struct) *pulumirpc.DiffResponse
	preview(inputs *structpb.Struct) *structpb.Struct
	create(call Call, inputs *structpb.Struct) (string, *structpb.Struct, error)
	update(call Call, inputs, state *structpb.Struct) (*structpb.Struct, error)
	delete(call Call, state *structpb.Struct) error
}

// Kind is a resource type. Args and State are structs with JSON names; State holds Args and the outputs.
type Kind[Args, State any] struct {
	Required []string       // arguments that must be given
	Defaults map[string]any // arguments that are written into the inputs where they are left out
	Outputs  []string       // what is unknown until the resource is made

	// Complete fills in what was left out, where the state shows it and the inputs do not. Optional.
	Complete func(args Args) Args

	// Replaces are the arguments whose change makes a new resource; without an Update all of them do.
	Replaces []string

	Create func(call Call, args Args) (id string, state State, err error)
	Update func(call Call, args Args, state State) (State, error) // optional
	Delete func(call Call, state State) error                     // optional
}

func (k Kind[Args, State]) check(inputs *structpb.Struct) *pulumirpc.CheckResponse {
	checked := withoutInternal(inputs)
	for name, value := range k.Defaults {
		if _, given := checked.GetFields()[name]; !given {
			checked.Fields[name], _ = structpb.NewValue(value)
		}
	}
	response := &pulumirpc.CheckResponse{Inputs: checked}
	for _, name := range k.Required {
		if _, given := checked.GetFields()[name]; !given {
			response.Failures = append(response.Failures,
				&pulumirpc.CheckFailure{Property: name, Reason: "is required"})
		}
	}
	var args Args
	if err := decodeStrict(withoutUnknowns(checked), &args); err != nil {
		response.Failures = append(response.Failures, failure(err))
	}
	return response
}

func (k Kind[Args, State]) diff(oldInputs, inputs *structpb.Struct) *pulumirpc.DiffResponse {
	before, after := withoutInternal(oldInputs).GetFields(), withoutInternal(inputs).GetFields()
	names := map[string]bool{}
	for name := range before {
		names[name] = true
	}
	for name := range after {
		names[name] = true
	}
	response := &pulumirpc.DiffResponse{Changes: pulumirpc.DiffResponse_DIFF_NONE}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if proto.Equal(before[name], after[name]) {
			continue
		}
		response.Changes = pulumirpc.DiffResponse_DIFF_SOME
		response.Diffs = append(response.Diffs, name)
		if k.Update == nil || slices.Contains(k.Replaces, name) {
			response.Replaces = append(response.Replaces, name)
		}
	}
	return response
}

// preview shows the arguments, and the outputs as not yet known.
func (k Kind[Args, State]) preview(inputs *structpb.Struct) *structpb.Struct {
	state := withoutInternal(inputs)
	var args Args
	if err := decode(withoutUnknowns(state), &args); err == nil {
		if completed, err := encode(k.complete(args)); err == nil {
			proto.Merge(completed, state) // the given ones, among them those not yet known, win
			state = completed
		}
	}
	for _, name := range k.Outputs {
		state.Fields[name] = unknown()
	}
	return state
}

func (k Kind[Args, State]) complete(args Args) Args {
	if k.Complete == nil {
		return args
	}
	return k.Complete(args)
}

func (k Kind[Args, State]) create(call Call, inputs *structpb.Struct) (string, *structpb.Struct, error) {
	var args Args
	if err := decode(inputs, &args); err != nil {
		return "", nil, err
	}
	id, state, err := k.Create(call, k.complete(args))
	if err != nil {
		return "", nil, err
	}
	encoded, err := encode(state)
	return id, encoded, err
}

func (k Kind[Args, State]) update(call Call, inputs, old *structpb.Struct) (*structpb.Struct, error) {
	var args Args
	var state State
	if err := decode(inputs, &args); err != nil {
		return nil, err
	}
	if err := decode(old, &state); err != nil {
		return nil, err
	}
	state, err := k.Update(call, k.complete(args), state)
	if err != nil {
		return nil, err
	}
	return encode(state)
}

func (k Kind[Args, State]) delete(call Call, old *structpb.Struct) error {
	if k.Delete == nil {
		return nil
	}
	var state State
	if err := decode(old, &state); err != nil {
		return err
	}
	return k.Delete(call, state)
}
