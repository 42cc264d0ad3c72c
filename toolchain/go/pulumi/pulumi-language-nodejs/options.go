package main

import (
	"fmt"

	"github.com/google/shlex"
	"google.golang.org/protobuf/types/known/structpb"
)

// options are those of `runtime: {name: nodejs, options: ...}` in Pulumi.yaml.
type options struct {
	typescript bool     // have @pulumi/pulumi load the program by ts-node
	tsconfig   string   // the tsconfig.json for that
	nodeArgs   []string // arguments to node itself
}

func parseOptions(given *structpb.Struct) (options, error) {
	parsed := options{typescript: true} // the official host's default
	for key, value := range given.AsMap() {
		switch key {
		case "typescript":
			enabled, ok := value.(bool)
			if !ok {
				return parsed, fmt.Errorf("Pulumi.yaml: runtime option typescript must be true or false, not %v", value)
			}
			parsed.typescript = enabled
		case "tsconfig":
			path, ok := value.(string)
			if !ok {
				return parsed, fmt.Errorf("Pulumi.yaml: runtime option tsconfig must be a path, not %v", value)
			}
			parsed.tsconfig = path
		case "nodeargs":
			line, ok := value.(string)
			if !ok {
				return parsed, fmt.Errorf("Pulumi.yaml: runtime option nodeargs must be a string, not %v", value)
			}
			args, err := shlex.Split(line)
			if err != nil {
				return parsed, fmt.Errorf("Pulumi.yaml: runtime option nodeargs: %w", err)
			}
			parsed.nodeArgs = args
		}
	}
	return parsed, nil
}

// environment is how @pulumi/pulumi learns of the options.
func (o options) environment() []string {
	var env []string
	if o.typescript {
		env = append(env, "PULUMI_NODEJS_TYPESCRIPT=true")
	}
	if o.tsconfig != "" {
		env = append(env, "PULUMI_NODEJS_TSCONFIG_PATH="+o.tsconfig)
	}
	return env
}
