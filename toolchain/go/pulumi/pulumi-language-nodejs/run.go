package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// Run runs the program to its end. What the user did wrong is in the response; an error is the host's own.
func (h *host) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	code, err := h.runProgram(ctx, req)
	switch {
	case err != nil:
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	case code == exitAfterMessage:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case code != 0:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("the program ended with exit code %d", code)}, nil
	}
	return &pulumirpc.RunResponse{}, nil
}

func (h *host) runProgram(ctx context.Context, req *pulumirpc.RunRequest) (int, error) {
	opts, err := parseOptions(req.GetInfo().GetOptions())
	if err != nil {
		return 0, err
	}
	script, err := sdkScript(req.GetInfo().GetProgramDirectory(), "run")
	if err != nil {
		return 0, err
	}
	config, err := configEnvironment(req)
	if err != nil {
		return 0, err
	}

	args := append(opts.nodeArgs, script)
	args = append(args, h.runArguments(req)...)
	cmd, err := h.command(ctx, "node", args...)
	if err != nil {
		return 0, err
	}
	cmd.Env = append(append(os.Environ(), config...), opts.environment()...)
	// Wrapped, so that node gets pipes: it would make our own output non-blocking, and long lines would be cut.
	cmd.Stdout = struct{ io.Writer }{os.Stdout}
	cmd.Stderr = struct{ io.Writer }{os.Stderr}
	return exitCode(cmd.Run())
}

// runArguments addresses the engine's own monitor: a proxy in between would have to know of every new call.
func (h *host) runArguments(req *pulumirpc.RunRequest) []string {
	var args []string
	for _, flag := range []struct{ name, value string }{
		{"monitor", req.GetMonitorAddress()},
		{"engine", h.engineAddress},
		{"organization", req.GetOrganization()},
		{"project", req.GetProject()},
		{"root-directory", req.GetInfo().GetRootDirectory()},
		{"stack", req.GetStack()},
		{"pwd", req.GetInfo().GetProgramDirectory()},
		{"parallel", strconv.Itoa(int(req.GetParallel()))},
	} {
		if flag.value != "" {
			args = append(args, "--"+flag.name, flag.value)
		}
	}
	if req.GetDryRun() {
		args = append(args, "--dry-run")
	}
	args = append(args, req.GetInfo().GetEntryPoint())
	return append(args, req.GetArgs()...)
}

// configEnvironment hands over the stack's configuration; an argument would show secrets to every process lister.
func configEnvironment(req *pulumirpc.RunRequest) ([]string, error) {
	config := req.GetConfig()
	if config == nil {
		config = map[string]string{}
	}
	secretKeys := req.GetConfigSecretKeys()
	if secretKeys == nil {
		secretKeys = []string{}
	}
	values, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	secrets, err := json.Marshal(secretKeys)
	if err != nil {
		return nil, err
	}
	return []string{"PULUMI_CONFIG=" + string(values), "PULUMI_CONFIG_SECRET_KEYS=" + string(secrets)}, nil
}
