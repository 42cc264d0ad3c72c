// Package base has the names of libopenapi's schema model that the CLI is compiled with.
package base

import (
	"go.yaml.in/yaml/v4"

	"github.com/pb33f/libopenapi/orderedmap"
)

// Info is never made.
type Info struct{ Version string }

// SchemaProxy is never made.
type SchemaProxy struct{}

// Schema is nil.
func (*SchemaProxy) Schema() *Schema { return nil }

// IsReference is false.
func (*SchemaProxy) IsReference() bool { return false }

// GetReference is empty.
func (*SchemaProxy) GetReference() string { return "" }

// DynamicValue is never made.
type DynamicValue[A, B any] struct {
	A A
	B B
}

// IsA is false.
func (*DynamicValue[A, B]) IsA() bool { return false }

// IsB is false.
func (*DynamicValue[A, B]) IsB() bool { return false }

// Discriminator is never made.
type Discriminator struct {
	PropertyName string
	Mapping      *orderedmap.Map[string, string]
}

// LowSchema is never made.
type LowSchema struct{}

// Hash is 0.
func (*LowSchema) Hash() uint64 { return 0 }

// Schema is never filled.
type Schema struct {
	Type                 []string
	AllOf, OneOf, AnyOf  []*SchemaProxy
	Discriminator        *Discriminator
	Items                *DynamicValue[*SchemaProxy, bool]
	AdditionalProperties *DynamicValue[*SchemaProxy, bool]
	Properties           *orderedmap.Map[string, *SchemaProxy]
	Required             []string
	Enum                 []*yaml.Node
	Title, Description   string
	Format, Pattern      string
	Default              *yaml.Node
	Deprecated, Nullable *bool
	ReadOnly, WriteOnly  *bool
	MinLength, MaxLength *int64
	MinItems, MaxItems   *int64
	Minimum, Maximum     *float64
	MultipleOf           *float64
	Extensions           *orderedmap.Map[string, *yaml.Node]
}

// GoLow is nil.
func (*Schema) GoLow() *LowSchema { return nil }

// MarshalJSONInline is empty.
func (*Schema) MarshalJSONInline() ([]byte, error) { return nil, nil }
