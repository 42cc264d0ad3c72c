package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
)

const (
	lowerLetters      = "abcdefghijklmnopqrstuvwxyz"
	upperLetters      = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits            = "0123456789"
	specialCharacters = "!@#$%&*()-_=+[]{}<>:?"
)

// textArgs are the arguments that RandomPassword and RandomString share.
type textArgs struct {
	Keepers         map[string]string `json:"keepers,omitempty"`
	Length          int               `json:"length"`
	Lower           *bool             `json:"lower,omitempty"`
	MinLower        *int              `json:"minLower,omitempty"`
	MinNumeric      *int              `json:"minNumeric,omitempty"`
	MinSpecial      *int              `json:"minSpecial,omitempty"`
	MinUpper        *int              `json:"minUpper,omitempty"`
	Number          *bool             `json:"number,omitempty"` // the old name of numeric
	Numeric         *bool             `json:"numeric,omitempty"`
	OverrideSpecial *string           `json:"overrideSpecial,omitempty"`
	Special         *bool             `json:"special,omitempty"`
	Upper           *bool             `json:"upper,omitempty"`
}

// withDefaults fills in what was left out, as the state shows it.
func (args textArgs) withDefaults() textArgs {
	args.Numeric = orDefault(args.Numeric, *orDefault(args.Number, true))
	args.Number = args.Numeric
	args.Lower, args.Upper = orDefault(args.Lower, true), orDefault(args.Upper, true)
	args.Special = orDefault(args.Special, true)
	args.MinLower, args.MinUpper = orDefault(args.MinLower, 0), orDefault(args.MinUpper, 0)
	args.MinNumeric, args.MinSpecial = orDefault(args.MinNumeric, 0), orDefault(args.MinSpecial, 0)
	return args
}

func orDefault[T any](value *T, fallback T) *T {
	if value == nil {
		return &fallback
	}
	return value
}

// generate draws the text from arguments with their defaults: first each kind's minimum, then from all kinds, shuffled.
func (args textArgs) generate() (string, error) {
	special := specialCharacters
	if args.OverrideSpecial != nil && *args.OverrideSpecial != "" {
		special = *args.OverrideSpecial
	}

	var text []byte
	var all string
	for _, kind := range []struct {
		wanted     bool
		minimum    int
		characters string
	}{
		{*args.Lower, *args.MinLower, lowerLetters},
		{*args.Upper, *args.MinUpper, upperLetters},
		{*args.Numeric, *args.MinNumeric, digits},
		{*args.Special, *args.MinSpecial, special},
	} {
		if kind.wanted {
			all += kind.characters
		}
		drawn, err := draw(kind.characters, kind.minimum)
		if err != nil {
			return "", err
		}
		text = append(text, drawn...)
	}
	if args.Length < 1 || args.Length < len(text) {
		return "", fmt.Errorf("length is %d: it must be at least 1 and the sum of the minimums, %d", args.Length, len(text))
	}
	rest, err := draw(all, args.Length-len(text))
	if err != nil {
		return "", err
	}
	text = append(text, rest...)
	if err := shuffle(text); err != nil {
		return "", err
	}
	return string(text), nil
}

// draw takes characters with crypto/rand, each with the same chance.
func draw(characters string, count int) ([]byte, error) {
	if count > 0 && characters == "" {
		return nil, errors.New("at least one of lower, upper, numeric and special must be true")
	}
	drawn := make([]byte, 0, max(count, 0))
	for range count {
		index, err := rand.Int(rand.Reader, big.NewInt(int64(len(characters))))
		if err != nil {
			return nil, err
		}
		drawn = append(drawn, characters[index.Int64()])
	}
	return drawn, nil
}

// shuffle hides that the minimums were drawn first.
func shuffle(text []byte) error {
	for i := len(text) - 1; i > 0; i-- {
		j, err := rand.Int(rand.Reader, big.NewInt(int64(i+1)))
		if err != nil {
			return err
		}
		text[i], text[j.Int64()] = text[j.Int64()], text[i]
	}
	return nil
}
