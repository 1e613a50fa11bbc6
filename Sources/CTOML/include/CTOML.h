// TOML 1.0 for C: a document as one flat array of values with their places in the text.
// The work is toml++'s (https://marzer.github.io/tomlplusplus, Debian: libtomlplusplus-dev).

#ifndef CTOML_H
#define CTOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    CTOML_TABLE,
    CTOML_ARRAY,
    CTOML_STRING,
    CTOML_INTEGER,
    CTOML_FLOAT,
    CTOML_BOOLEAN,
    CTOML_DATE,
} ctoml_type;

/// A place in the document; both count from 1, columns in Unicode scalars.
typedef struct {
    uint32_t line;
    uint32_t column;
} ctoml_place;

/// UTF-8, not terminated; may hold NUL. Lives as long as its document.
typedef struct {
    const char *bytes;
    size_t count;
} ctoml_text;

typedef struct {
    ctoml_type type;
    /// Where the value begins; for a table, its header or brace.
    ctoml_place place;
    /// Of a table's entries only; of others it is empty.
    ctoml_text key;
    ctoml_place key_place;
    /// Of tables and arrays: how many entries they have. Of others 0.
    size_t children;
    /// Of strings the content; of dates and times their spelling in RFC 3339.
    ctoml_text text;
    /// Of integers.
    int64_t integer;
    /// Of floats; may be infinite or NaN.
    double number;
    /// Of booleans.
    bool boolean;
} ctoml_node;

/// A parsed document, or why it is none.
typedef struct {
    /// The root table first, and after each table or array its entries, each with all that is in it. A table's entries
    /// are sorted by key; `key_place` tells their order in the document. NULL if the text is no TOML.
    const ctoml_node *nodes;
    size_t count;
    /// What is wrong, if the text is no TOML.
    ctoml_text error;
    ctoml_place error_place;
} ctoml_document;

/// Parses `count` bytes at `bytes`, which need not outlive the call. Any bytes will do: what is no TOML 1.0, or is nested
/// deeper than about 500 levels, is told by the document's `error`.
/// Never NULL. The caller frees the document with `ctoml_free`.
ctoml_document *ctoml_parse(const char *bytes, size_t count);

/// Frees a document with all its nodes and texts; NULL is let pass.
void ctoml_free(ctoml_document *document);

#ifdef __cplusplus
}
#endif

#endif
