package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	sdk "github.com/pulumi/pulumi/sdk/v3"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// runPolicyPack starts a pack behind a proxy: the engine names the stack by a call, the pack reads it from the
// environment when it starts, so the proxy answers until the pack can be started with it.
func (h *host) runPolicyPack(
	ctx context.Context, req *pulumirpc.RunPluginRequest, opts options, env []string, stdout, stderr io.Writer,
) error {
	packDir := req.GetInfo().GetProgramDirectory()
	script, err := sdkScript(packDir, "run-policy-pack")
	if err != nil {
		return err
	}
	proxy, stdout, err := sdk.NewPolicyProxy(ctx, stdout)
	if err != nil {
		return err
	}
	stack, err := proxy.AwaitConfiguration(ctx)
	if err != nil {
		return err
	}
	env, err = appendStack(env, stack)
	if err != nil {
		return err
	}

	args := append(opts.nodeArgs, script)
	args = append(append(args, req.GetArgs()...), packDir)
	cmd, err := h.command(ctx, "node", args...)
	if err != nil {
		return err
	}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = packDir, env, stdout, stderr
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("node could not be run: %w", err)
	}
	if err := proxy.Attach(ctx, cmd); err != nil {
		return fmt.Errorf("the policy pack in %s: %w", packDir, err)
	}
	return nil
}

// appendStack adds what @pulumi/policy reads about the stack; there is none while a pack is only inspected.
func appendStack(env []string, stack *pulumirpc.AnalyzerStackConfigureRequest) ([]string, error) {
	if stack == nil {
		return env, nil
	}
	config, err := json.Marshal(stack.GetConfig())
	if err != nil {
		return nil, err
	}
	return append(env,
		"PULUMI_NODEJS_ORGANIZATION="+stack.GetOrganization(),
		"PULUMI_NODEJS_PROJECT="+stack.GetProject(),
		"PULUMI_NODEJS_STACK="+stack.GetStack(),
		"PULUMI_NODEJS_DRY_RUN="+strconv.FormatBool(stack.GetDryRun()),
		"PULUMI_CONFIG="+string(config),
	), nil
}
