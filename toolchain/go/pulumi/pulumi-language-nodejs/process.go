package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// interruptGrace is what an interrupted program gets to end by itself before it is killed.
const interruptGrace = 5 * time.Second

// exitAfterMessage is the exit code by which @pulumi/pulumi says that it has told the user what is wrong.
const exitAfterMessage = 32

// command prepares a process that is interrupted when the call or the host ends.
func (h *host) command(ctx context.Context, program string, args ...string) (*exec.Cmd, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("%s is not on the PATH", program)
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(h.ctx, cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = interruptGrace
	return cmd, nil
}

// exitCode tells a process that ran and failed from one that could not run, which is an error.
func exitCode(err error) (int, error) {
	var exited *exec.ExitError
	if err == nil {
		return 0, nil
	}
	if errors.As(err, &exited) {
		return exited.ExitCode(), nil
	}
	return -1, fmt.Errorf("node could not be run: %w", err)
}
