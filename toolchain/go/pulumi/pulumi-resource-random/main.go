// Command pulumi-resource-random stands in for the official random plugin, which is in no package registry. It serves
// the resources of @pulumi/random that a stack needs for its secrets and names, under the same types and properties.
package main

import "pgstack/tools/standin"

func main() {
	standin.Main(standin.Plugin{
		Name:        "random",
		Version:     "4.21.2+standin", // the SDK's; the build metadata says that this is not the official plugin
		Description: "Stand-in for the random plugin: RandomId, RandomPassword, RandomString, RandomUuid",
		Resources: map[string]standin.Resource{
			"random:index/randomId:RandomId":             randomID,
			"random:index/randomPassword:RandomPassword": randomPassword,
			"random:index/randomString:RandomString":     randomString,
			"random:index/randomUuid:RandomUuid":         randomUUID,
		},
	})
}
