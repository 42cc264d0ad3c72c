package main

import (
	"golang.org/x/crypto/bcrypt"

	"pgstack/tools/standin"
)

// bcryptLimit is the most bytes that bcrypt takes.
const bcryptLimit = 72

type passwordState struct {
	textArgs
	Result     string `json:"result"`
	BcryptHash string `json:"bcryptHash"`
}

// randomPassword is a text that the SDK keeps secret. A change of any argument makes a new one.
var randomPassword = standin.Kind[textArgs, passwordState]{
	Required: []string{"length"},
	Outputs:  []string{"result", "bcryptHash"},
	Complete: textArgs.withDefaults,
	Create: func(_ standin.Call, args textArgs) (string, passwordState, error) {
		result, err := args.generate()
		if err != nil {
			return "", passwordState{}, err
		}
		hash, err := bcrypt.GenerateFromPassword([]byte(result[:min(len(result), bcryptLimit)]), bcrypt.DefaultCost)
		return "none", passwordState{args, result, string(hash)}, err
	},
}
