// Package orderedmap has the names of libopenapi's ordered map; every map stays empty.
package orderedmap

import "iter"

// Map is always empty.
type Map[K comparable, V any] struct{}

// New makes an empty map.
func New[K comparable, V any]() *Map[K, V] { return &Map[K, V]{} }

// Len is 0.
func Len[K comparable, V any](*Map[K, V]) int { return 0 }

// Get finds nothing.
func (*Map[K, V]) Get(K) (value V, found bool) { return value, false }

// GetOrZero finds nothing.
func (*Map[K, V]) GetOrZero(K) (zero V) { return zero }

// Set keeps nothing.
func (*Map[K, V]) Set(K, V) (previous V, replaced bool) { return previous, false }

// Delete finds nothing.
func (*Map[K, V]) Delete(K) (value V, found bool) { return value, false }

// FromOldest walks over nothing.
func (*Map[K, V]) FromOldest() iter.Seq2[K, V] { return func(func(K, V) bool) {} }

// KeysFromOldest walks over nothing.
func (*Map[K, V]) KeysFromOldest() iter.Seq[K] { return func(func(K) bool) {} }
