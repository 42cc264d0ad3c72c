package main

import (
	"github.com/google/uuid"

	"pgstack/tools/standin"
)

type uuidArgs struct {
	Keepers map[string]string `json:"keepers,omitempty"`
}

type uuidState struct {
	uuidArgs
	Result string `json:"result"`
}

// randomUUID is a UUID of version 4. A change of its keepers makes a new one.
var randomUUID = standin.Kind[uuidArgs, uuidState]{
	Outputs: []string{"result"},
	Create: func(_ standin.Call, args uuidArgs) (string, uuidState, error) {
		id, err := uuid.NewRandom()
		return id.String(), uuidState{args, id.String()}, err
	},
}
