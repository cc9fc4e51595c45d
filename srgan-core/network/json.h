/* network: JSON out of files that nobody vouches for.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <json-glib/json-glib.h>
#include <srgan/srgan-error.h>

G_BEGIN_DECLS

#define SRGAN_JSON_MAX_DEPTH 64

/* Beyond these a text is refused before it is parsed. */
typedef struct {
  gsize n_bytes;
  guint n_values;  /* in all; each takes some hundred bytes */
  guint n_members; /* of one object */
  guint depth;     /* brackets within each other, <= SRGAN_JSON_MAX_DEPTH */
} SrganJsonLimits;

/* The object that @text is, strictly JSON, no member twice; owned by @parser.
 * @what names the text in errors (%SRGAN_ERROR_CORRUPT). */
SRGAN_API
JsonObject *srgan_json_parse (JsonParser *parser, const gchar *text,
    gsize length, const gchar *what, const SrganJsonLimits *limits,
    GError **error);

G_END_DECLS
