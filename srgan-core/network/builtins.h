/* network: the choice among built-in networks, apart from what is embedded, for
 * tests.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>

G_BEGIN_DECLS

/* A built-in's name taken apart. */
typedef struct {
  guint preset; /* index in srgan_network_list_presets() */
  guint tune;   /* index in srgan_network_list_tunes() */
  guint scale;  /* 0: the name has none */
} SrganBuiltinName;

/* PRESET-TUNE or PRESET-TUNE-xSCALE; NOT_FOUND says which part is wrong. */
gboolean srgan_builtin_name_parse (
    const gchar *name, SrganBuiltinName *parsed, GError **error);

/* For GArrays and qsort() of names (gchar **): cheapest first. */
gint srgan_builtin_name_compare (gconstpointer a, gconstpointer b);

/* Which of @names (NULL-terminated) serves who asks for @model at @scale (0:
 * the model's own, else 2):
 *
 * - the very one;
 * - else, of the same scale and with a preset not above the one asked for: one
 *   of the same tune before one of tune clean before the other tunes in their
 *   order, and of these the one with the highest preset;
 * - else, where nothing costs no more, the one of that scale with the lowest
 *   preset, tunes in the same order.
 *
 * Returns: (transfer none): an element of @names, @note (optional) set when it
 *   is not the very one; %NULL with @error set: INVALID for a scale that
 *   contradicts the name, NOT_FOUND else */
const gchar *srgan_builtins_choose (const gchar *const *names,
    const gchar *model, guint scale, gchar **note, GError **error);

G_END_DECLS
