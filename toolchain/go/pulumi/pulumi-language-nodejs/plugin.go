package main

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
)

// RunPlugin runs a plugin that is written for Node.js: a policy pack, or a provider that carries a PulumiPlugin.yaml.
func (h *host) RunPlugin(
	req *pulumirpc.RunPluginRequest, stream grpc.ServerStreamingServer[pulumirpc.RunPluginResponse],
) error {
	closer, stdout, stderr, err := rpcutil.MakeRunPluginStreams(stream, false)
	if err != nil {
		return err
	}
	defer func() { _ = closer.Close() }()

	opts, err := parseOptions(req.GetInfo().GetOptions())
	if err != nil {
		return err
	}
	env := append(req.GetEnv(), opts.environment()...)
	if req.GetKind() == "analyzer" {
		return h.runPolicyPack(stream.Context(), req, opts, env, stdout, stderr)
	}

	script, err := sdkScript(req.GetInfo().GetProgramDirectory(), "run-plugin")
	if err != nil {
		return err
	}
	args := append(opts.nodeArgs, script, req.GetInfo().GetProgramDirectory())
	cmd, err := h.command(stream.Context(), "node", append(args, req.GetArgs()...)...)
	if err != nil {
		return err
	}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = req.GetPwd(), env, stdout, stderr
	code, err := exitCode(cmd.Run())
	if err == nil && code != 0 {
		err = fmt.Errorf("the plugin ended with exit code %d", code)
	}
	return err
}
