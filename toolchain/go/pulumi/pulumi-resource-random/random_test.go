package main

import (
	"strings"
	"testing"

	"pgstack/tools/standin"
	"pgstack/tools/standin/sdktest"
)

func TestTypesAreTheSDKs(t *testing.T) {
	sdktest.Compare(t, "random/randomId.js", idState{})
	sdktest.Compare(t, "random/randomPassword.js", passwordState{})
	sdktest.Compare(t, "random/randomString.js", stringState{})
	sdktest.Compare(t, "random/randomUuid.js", uuidState{})
}

func TestPasswordKeepsItsMinimums(t *testing.T) {
	no, three := false, 3
	args := textArgs{Length: 12, MinNumeric: &three, MinUpper: &three, Special: &no}.withDefaults()
	for range 100 {
		text, err := args.generate()
		if err != nil {
			t.Fatal(err)
		}
		if len(text) != 12 || count(text, digits) < 3 || count(text, upperLetters) < 3 || count(text, specialCharacters) > 0 {
			t.Fatalf("%q does not keep to the arguments", text)
		}
	}
}

func TestPasswordRefusesWhatCannotBe(t *testing.T) {
	no, three := false, 3
	for name, args := range map[string]textArgs{
		"length below the minimums": {Length: 2, MinLower: &three},
		"no length":                 {},
		"no characters":             {Length: 4, Lower: &no, Upper: &no, Numeric: &no, Special: &no},
	} {
		if _, _, err := randomPassword.Create(standin.Call{}, args.withDefaults()); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestNumberIsTheOldNameOfNumeric(t *testing.T) {
	no := false
	if args := (textArgs{Number: &no}).withDefaults(); *args.Numeric {
		t.Error("number: false must leave digits out")
	}
}

func count(text, characters string) int {
	found := 0
	for _, character := range text {
		if strings.ContainsRune(characters, character) {
			found++
		}
	}
	return found
}
