#pragma once
#include <sqlite3.h>

// Swift cannot say SQLITE_TRANSIENT, a function pointer of value -1.

/// Binds text of `count` bytes; SQLite keeps a copy.
static inline int fieldpost_bind_text(sqlite3_stmt *statement, int index, const char *bytes, int count) {
    return sqlite3_bind_text(statement, index, bytes ? bytes : "", count, SQLITE_TRANSIENT);
}

/// Binds a blob that the caller keeps in place until the statement is reset. Without bytes: the empty blob, not NULL.
static inline int fieldpost_bind_borrowed_blob(sqlite3_stmt *statement, int index, const void *bytes, sqlite3_uint64 count) {
    return sqlite3_bind_blob64(statement, index, count ? bytes : "", count, SQLITE_STATIC);
}
