package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"pgstack/tools/standin"
	"pgstack/tools/standin/sdktest"
)

func TestTypeIsTheSDKs(t *testing.T) {
	sdktest.Compare(t, "command/local/command.js", state{}, "archive", "archivePaths", "asset", "assetPaths", "assets")
}

func call(shown *[]string) standin.Call {
	return standin.Call{Context: context.Background(), Name: "test", Show: func(line string) { *shown = append(*shown, line) }}
}

func TestCommandSeesItsSurroundings(t *testing.T) {
	dir, line := t.TempDir(), `cat; echo "$WHO $PULUMI_COMMAND_STDOUT in $PWD"; echo problem >&2`
	given := args{
		Create: &line, Dir: dir, Environment: map[string]string{"WHO": "me"}, Stdin: "first\n", Logging: "stderr",
	}
	var shown []string
	written, err := run(call(&shown), line, given, output{Stdout: "before"})
	if err != nil {
		t.Fatal(err)
	}
	if want := (output{Stdout: "first\nme before in " + dir, Stderr: "problem"}); written != want {
		t.Errorf("the outputs are %q", written)
	}
	if strings.Join(shown, "|") != "problem" {
		t.Errorf("with logging stderr the user sees %q", shown)
	}
}

func TestFailureShowsCommandAndOutput(t *testing.T) {
	var shown []string
	_, err := run(call(&shown), "echo reason; exit 4", args{}, output{})
	if err == nil || !strings.Contains(err.Error(), "exit status 4") || !strings.Contains(err.Error(), "reason") {
		t.Errorf("the error is %v", err)
	}
}

func TestInterruptEndsAllThatWasStarted(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	interrupted := standin.Call{Context: ctx, Show: func(string) {}}
	if _, err := run(interrupted, "sleep 30 & sleep 30", args{}, output{}); err == nil {
		t.Error("an interrupted command must fail")
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the interrupt took %s", took)
	}
}
