#pragma once
#include <openssl/bio.h>
#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509v3.h>
#ifndef OPENSSL_NO_ENGINE
#include <openssl/engine.h>
#endif

// What OpenSSL has as macros, which Swift cannot call. Each does what the macro of its name does.

static inline int fieldpost_SSL_CTX_set_min_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_min_proto_version(context, version);
}

static inline int fieldpost_SSL_CTX_set_max_proto_version(SSL_CTX *context, int version) {
    return (int)SSL_CTX_set_max_proto_version(context, version);
}

static inline void fieldpost_SSL_CTX_set_session_cache_mode(SSL_CTX *context, int mode) {
    SSL_CTX_set_session_cache_mode(context, mode);
}

static inline void fieldpost_SSL_CTX_set_mode(SSL_CTX *context, int mode) { SSL_CTX_set_mode(context, mode); }

/// Takes a reference of its own.
static inline int fieldpost_SSL_CTX_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return (int)SSL_CTX_add1_chain_cert(context, certificate);
}

static inline int fieldpost_SSL_set_tlsext_host_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}

static inline int fieldpost_SSL_set_app_data(SSL *ssl, void *data) { return SSL_set_app_data(ssl, data); }

static inline void *fieldpost_SSL_get_app_data(const SSL *ssl) { return SSL_get_app_data(ssl); }

static inline const char *fieldpost_SSL_get_cipher_name(const SSL *ssl) { return SSL_get_cipher_name(ssl); }

static inline void fieldpost_BIO_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }

static inline void fieldpost_BIO_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }

/// The bytes of a memory BIO; they stay its own.
static inline long fieldpost_BIO_get_mem_data(BIO *bio, const char **bytes) {
    return BIO_get_mem_data(bio, (char **)bytes);
}

static inline int fieldpost_sk_X509_num(const STACK_OF(X509) *stack) { return sk_X509_num(stack); }

static inline X509 *fieldpost_sk_X509_value(const STACK_OF(X509) *stack, int index) {
    return sk_X509_value(stack, index);
}

static inline int fieldpost_sk_GENERAL_NAME_num(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }

static inline GENERAL_NAME *fieldpost_sk_GENERAL_NAME_value(const GENERAL_NAMES *names, int index) {
    return sk_GENERAL_NAME_value(names, index);
}

/// Reads the private key that a `pkcs11:` URI names through OpenSSL's engine "pkcs11" (libp11), for as long as OpenSSL
/// has engines.
///
/// @param module the PKCS #11 library, or NULL for the engine's own choice
/// @param pin the token's PIN, or NULL
/// @param has_engine set to 1 when the engine could be loaded
static inline EVP_PKEY *fieldpost_engine_private_key(const char *uri, const char *module, const char *pin,
                                                     int *has_engine) {
    *has_engine = 0;
#ifdef OPENSSL_NO_ENGINE
    (void)uri, (void)module, (void)pin;
    return NULL;
#else
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
    EVP_PKEY *key = NULL;
    OPENSSL_init_crypto(OPENSSL_INIT_ENGINE_DYNAMIC, NULL);
    ENGINE *engine = ENGINE_by_id("pkcs11");
    if (!engine) return NULL;
    *has_engine = 1;
    if ((!module || ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0)) && ENGINE_init(engine)) {
        if (!pin || ENGINE_ctrl_cmd_string(engine, "PIN", pin, 0))
            key = ENGINE_load_private_key(engine, uri, UI_null(), NULL);
        ENGINE_finish(engine);
    }
    ENGINE_free(engine);
    return key;
#pragma clang diagnostic pop
#endif
}
