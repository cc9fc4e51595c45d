/* convert: Python's pickles, read without executing anything.
 *
 * A pickle is a program for a stack machine that can call any function of the
 * reader's Python. This reader only writes down what would be called, and even
 * that only for names that its caller allows: a pickle that wants anything else
 * called is refused, naming it. Protocols 0 to 5 as described in Python's
 * Lib/pickletools.py.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

typedef enum {
  SRGAN_PICKLE_NONE,
  SRGAN_PICKLE_BOOL,
  SRGAN_PICKLE_INT,
  SRGAN_PICKLE_FLOAT,
  SRGAN_PICKLE_TEXT, /* str or bytes */
  SRGAN_PICKLE_TUPLE,
  SRGAN_PICKLE_LIST, /* list or set */
  SRGAN_PICKLE_DICT,
  SRGAN_PICKLE_GLOBAL,     /* a name in a module: nothing but the name */
  SRGAN_PICKLE_OBJECT,     /* what calling a global would have made */
  SRGAN_PICKLE_PERSISTENT, /* what lies outside the pickle: items[0] names it */
  SRGAN_PICKLE_MARK,       /* never seen from outside */
} SrganPickleKind;

typedef struct _SrganPickleValue SrganPickleValue;

/**
 * SrganPickleValue:
 *
 * One value; owned by its pickle. Values may be shared and may contain
 * themselves: whoever walks them limits depth and number.
 */
struct _SrganPickleValue {
  SrganPickleKind kind;
  gint64 integer; /* BOOL, INT (saturated) */
  gdouble number; /* FLOAT, and INT as such */
  gchar *text;    /* TEXT, zero-terminated; GLOBAL: "module.name" */
  gsize length;   /* of TEXT */
  /* TUPLE, LIST: the items. DICT: key, value, key, value. OBJECT: what was put
   * into it as into a dict or a list. %NULL for none. */
  GPtrArray *items;
  /* OBJECT: */
  const SrganPickleValue *callable;  /* a GLOBAL */
  const SrganPickleValue *arguments; /* a TUPLE */
  const SrganPickleValue *state;     /* what BUILD gave it, or %NULL */
};

typedef struct _SrganPickle SrganPickle;

/* Parses the pickle that @data begins with; @used (optional) is set to its
 * length. Calls are taken for @callables ("module.name", %NULL-terminated;
 * "torch.*Storage" patterns with one '*') only. */
SRGAN_API
SrganPickle *srgan_pickle_parse (const guint8 *data, gsize size, gsize *used,
    const gchar *const *callables, GError **error);
SRGAN_API
void srgan_pickle_free (SrganPickle *pickle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganPickle, srgan_pickle_free)

SRGAN_API
const SrganPickleValue *srgan_pickle_get_root (const SrganPickle *pickle);

/* Number of items; 0 where there are none. */
SRGAN_API
guint srgan_pickle_get_n_items (const SrganPickleValue *value);
/* Item @index, or %NULL. */
SRGAN_API
const SrganPickleValue *srgan_pickle_get_item (
    const SrganPickleValue *value, guint index);
/* Whether it is an object that calling @name made. */
SRGAN_API
gboolean srgan_pickle_is_object_of (
    const SrganPickleValue *value, const gchar *name);
/* The value of @key in a DICT or dict-like OBJECT, or %NULL. */
SRGAN_API
const SrganPickleValue *srgan_pickle_look_up (
    const SrganPickleValue *dict, const gchar *key);

G_END_DECLS
