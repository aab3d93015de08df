package server

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A process that is being started has a copy of every descriptor until its exec: closing has to free the book all the same.
func TestAClosedBookIsFreeWhileAProcessStarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := openBook(dir)
	require.NoError(t, err)
	copied, err := syscall.Dup(int(b.file.Fd()))
	require.NoError(t, err)
	defer func() { assert.NoError(t, syscall.Close(copied)) }()
	require.NoError(t, b.close())
	b, err = openBook(dir)
	require.NoError(t, err)
	require.NoError(t, b.close())
}
