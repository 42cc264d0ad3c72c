package main

import "pgstack/tools/standin"

type stringState struct {
	textArgs
	Result string `json:"result"`
}

// randomString is a text that is no secret. A change of any argument makes a new one.
var randomString = standin.Kind[textArgs, stringState]{
	Required: []string{"length"},
	Outputs:  []string{"result"},
	Complete: textArgs.withDefaults,
	Create: func(_ standin.Call, args textArgs) (string, stringState, error) {
		result, err := args.generate()
		return result, stringState{args, result}, err
	},
}
