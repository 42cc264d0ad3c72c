package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"math/big"

	"pgstack/tools/standin"
)

type idArgs struct {
	ByteLength int               `json:"byteLength"`
	Keepers    map[string]string `json:"keepers,omitempty"`
	Prefix     string            `json:"prefix,omitempty"`
}

type idState struct {
	idArgs
	B64Std string `json:"b64Std"`
	B64URL string `json:"b64Url"`
	Dec    string `json:"dec"`
	Hex    string `json:"hex"`
}

// randomID is a number in several notations, for names. A change of any argument makes a new one.
var randomID = standin.Kind[idArgs, idState]{
	Required: []string{"byteLength"},
	Outputs:  []string{"b64Std", "b64Url", "dec", "hex"},
	Create: func(_ standin.Call, args idArgs) (string, idState, error) {
		if args.ByteLength < 1 {
			return "", idState{}, errors.New("byteLength must be at least 1")
		}
		number := make([]byte, args.ByteLength)
		if _, err := rand.Read(number); err != nil {
			return "", idState{}, err
		}
		id := base64.RawURLEncoding.EncodeToString(number) // the resource's own id goes without the prefix
		return id, idState{
			idArgs: args,
			B64URL: args.Prefix + id,
			B64Std: args.Prefix + base64.StdEncoding.EncodeToString(number),
			Hex:    args.Prefix + hex.EncodeToString(number),
			Dec:    args.Prefix + new(big.Int).SetBytes(number).String(),
		}, nil
	},
}
