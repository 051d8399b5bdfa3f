/* TLS 1.2 and 1.3 for a server's connections (RFC 5246, RFC 8446): certificates from PEM files, by
 * name where there are several, read again without a restart. Compression and renegotiation are
 * refused; sessions resume by tickets (RFC 5077), nothing is kept of them. The tickets' keys live
 * as long as a weir_tls: where TLS 1.2 must keep its forward secrecy for longer than that, a
 * service makes a new one (TLS 1.3 exchanges keys anew when it resumes). */
#ifndef WEIR_TLS_H
#define WEIR_TLS_H

#include <stdbool.h>
#include <weir/attributes.h>

struct weir_conn;
struct weir_request;

/* Certificates and what goes with them, counted: any number of servers on any number of threads
 * share it (weir_server_listen_tls). */
struct weir_tls;

/* A certificate and its key. */
struct weir_tls_identity {
  const char *certificate_file; /* PEM: the certificate first, then what issued it, up to the root,
                                   which may be left out */
  const char *key_file; /* PEM, not encrypted; NULL: it stands in the certificate's file too */
};

/* What is asked of clients where client_ca_file is set. A certificate that does not verify refuses
 * its client under either. */
enum weir_tls_clients {
  WEIR_TLS_CLIENTS_REQUIRED = 0, /* without a certificate the handshake fails; the default */
  WEIR_TLS_CLIENTS_OPTIONAL = 1, /* clients without a certificate are served too */
};

/* Options of TLS. Zero in a field means the documented default. */
struct weir_tls_options {
  size_t size; /* sizeof(struct weir_tls_options) */

  struct weir_tls_identity identity;    /* the default one: for clients that name no server, or one
                                           that no certificate is for */
  const struct weir_tls_identity *more; /* further ones, chosen by the name that the client asks for
                                           (SNI, RFC 6066 section 3) among those that the
                                           certificates say (subjectAltName, the common name where
                                           there is none); an exact name in any of them goes before
                                           a wildcard, which stands for one whole label
                                           (RFC 6125 section 6.4.3) */
  size_t more_count;                    /* how many; default 0 */

  const char *client_ca_file; /* PEM: whose certificates clients are asked for; default NULL: they
                                 are not asked */
  size_t client_certificates; /* enum weir_tls_clients */

  const char *const *alpn; /* protocols, the preferred one first, NULL-terminated (RFC 7301), each
                              of 1 to 255 bytes; default "http/1.1". A client that offers some, but
                              none of these, is refused; one that offers none is served */

  const char *ciphers; /* of TLS 1.2, OpenSSL's notation, in the order that the server prefers;
                          default OpenSSL's own */
  const char *cipher_suites; /* of TLS 1.3, likewise */
  size_t min_version;        /* 12 or 13; default 12 */
};

/* Why something was refused: a sentence, NUL-terminated, that names the file or the option. */
struct weir_tls_error {
  char text[256];
};

/* Reads the files and makes *tls with one reference, the caller's; all options are copied, the
 * files' names too. An expired certificate is taken. Returns 0, -EINVAL (a value out of its range,
 * no certificate_file, or a size that no version has), -ENOENT, -EACCES or another -errno of a file
 * that cannot be read, -EBADMSG (a file without the PEM that belongs there, a key that is encrypted
 * or not the certificate's, ciphers that OpenSSL does not know) or -ENOMEM; on an error *tls is
 * NULL, and *error, where error is not NULL, holds the sentence. Blocks for reading files. */
WEIR_ANY_THREAD int weir_tls_new(struct weir_tls **tls, const struct weir_tls_options *options,
                                 struct weir_tls_error *error);

/* Reads the same files again. From now on new connections get what they hold; open ones stay as
 * they are. Sessions resume over a reload, unless the authorities of client_ca_file are others now.
 * On an error everything stays as it was. Returns as weir_tls_new does. Blocks for reading files:
 * call it from a thread that serves nothing. */
WEIR_ANY_THREAD int weir_tls_reload(struct weir_tls *tls, struct weir_tls_error *error);

/* Gives the caller's reference back; servers and connections keep theirs. NULL is allowed. */
WEIR_ANY_THREAD void weir_tls_free(struct weir_tls *tls);

/* What a connection agreed on. */
struct weir_tls_info {
  const char *version;                /* "TLSv1.2" or "TLSv1.3" */
  const char *cipher;                 /* OpenSSL's name, such as "TLS_AES_256_GCM_SHA384" */
  struct weir_slice server_name;      /* that the client asked for; data is NULL where it did not */
  struct weir_slice alpn;             /* the protocol selected; data is NULL where there is none */
  bool resumed;                       /* by a ticket of an earlier connection */
  bool peer_verified;                 /* the client has a certificate of client_ca_file's */
  struct weir_slice peer_certificate; /* that one, DER; data is NULL where there is none */
  const char *peer_subject;           /* its subject (RFC 2253), or NULL */
};

/* What a request's connection agreed on. Returns 0, -ENOTCONN (a plain connection), -EINVAL (out is
 * NULL) or -ENOMEM. All is lent for the callback that got the request. */
WEIR_LOOP_THREAD int weir_request_tls(const struct weir_request *request,
                                      struct weir_tls_info *out);

/* The same of a connection; lent until the callback returns that asked. Returns as weir_request_tls
 * does. */
WEIR_LOOP_THREAD int weir_conn_tls(const struct weir_conn *conn, struct weir_tls_info *out);

#endif
