// Package v3 has the names of libopenapi's document model that the CLI is compiled with.
package v3

import (
	"go.yaml.in/yaml/v4"

	"github.com/pb33f/libopenapi/datamodel/high/base"
	"github.com/pb33f/libopenapi/orderedmap"
)

// Document is never made.
type Document struct {
	Info       *base.Info
	Components *Components
	Paths      *Paths
}

// Components is never made.
type Components struct {
	Schemas *orderedmap.Map[string, *base.SchemaProxy]
}

// Paths is never made.
type Paths struct {
	PathItems *orderedmap.Map[string, *PathItem]
}

// PathItem is never made.
type PathItem struct{ Get, Post, Put, Delete, Patch, Head *Operation }

// Operation is never made.
type Operation struct {
	OperationId string //nolint:revive // the library's spelling
	Summary     string
	Description string
	Tags        []string
	Parameters  []*Parameter
	RequestBody *RequestBody
	Responses   *Responses
	Deprecated  *bool
	Extensions  *orderedmap.Map[string, *yaml.Node]
}

// Parameter is never made.
type Parameter struct {
	Name, In, Description string
	Required              *bool
	Schema                *base.SchemaProxy
}

// RequestBody is never made.
type RequestBody struct {
	Content *orderedmap.Map[string, *MediaType]
}

// Responses is never made.
type Responses struct {
	Codes   *orderedmap.Map[string, *Response]
	Default *Response
}

// Response is never made.
type Response struct {
	Description string
	Content     *orderedmap.Map[string, *MediaType]
}

// MediaType is never made.
type MediaType struct{ Schema *base.SchemaProxy }
