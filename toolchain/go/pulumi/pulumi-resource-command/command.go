package main

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"pgstack/tools/standin"
)

// args are the arguments of local.Command. What the stand-in leaves out is missing here, so that the check refuses it.
type args struct {
	Create      *string  `json:"create,omitempty"`
	Update      *string  `json:"update,omitempty"`
	Delete      *string  `json:"delete,omitempty"`
	Triggers    []any    `json:"triggers,omitempty"`
	Interpreter []string `json:"interpreter,omitempty"`

	Dir         string            `json:"dir,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
	Stdin       string            `json:"stdin,omitempty"`
	Logging     logging           `json:"logging,omitempty"`

	AddPreviousOutputInEnv *bool `json:"addPreviousOutputInEnv,omitempty"`
}

type state struct {
	args
	output
}

// output is what the last command that was run wrote.
type output struct {
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
}

// command runs a command on this machine when it is created, updated and deleted.
var command = standin.Kind[args, state]{
	Defaults: map[string]any{"addPreviousOutputInEnv": true}, // the official plugin writes it into the inputs too
	Outputs:  []string{"stdout", "stderr"},
	Replaces: []string{"triggers"},

	Create: func(call standin.Call, args args) (string, state, error) {
		id, err := resource.NewUniqueHex(call.Name, 8, 0)
		if err != nil || args.Create == nil {
			return id, state{args: args}, err
		}
		output, err := run(call, *args.Create, args, output{})
		return id, state{args, output}, err
	},

	// Without an update command the create command runs again.
	Update: func(call standin.Call, args args, old state) (state, error) {
		line := args.Create
		if args.Update != nil {
			line = args.Update
		}
		if line == nil {
			return state{args, old.output}, nil
		}
		output, err := run(call, *line, args, old.output)
		return state{args, output}, err
	},

	Delete: func(call standin.Call, old state) error {
		if old.Delete == nil {
			return nil
		}
		_, err := run(call, *old.Delete, old.args, old.output)
		return err
	},
}

// logging says which of a command's streams the user sees while it runs; left out, both.
type logging string

func (l logging) stdout() bool { return l == "" || l == "stdout" || l == "stdoutAndStderr" }
func (l logging) stderr() bool { return l == "" || l == "stderr" || l == "stdoutAndStderr" }

// UnmarshalText lets the check refuse any other word.
func (l *logging) UnmarshalText(text []byte) error {
	switch word := string(text); word {
	case "stdout", "stderr", "stdoutAndStderr", "none":
		*l = logging(word)
		return nil
	default:
		return fmt.Errorf("logging must be stdout, stderr, stdoutAndStderr or none, not %q", word)
	}
}
