/* convert: TensorFlow's graphs: what the files that read them share.
 *
 * tensorflow-nodes.c knows operations and tensors, tensorflow.c the files:
 * graphs, function libraries, variables.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/bundle.h"
#include "convert/graph.h"
#include "convert/reader.h"

#include "tensorflow.pb-c.h"

G_BEGIN_DECLS

/* A variable that a graph reads, to be found in a checkpoint. */
typedef struct {
  gchar *value;       /* in the graph that we make */
  gchar *node;        /* the node's name: of the main graph, where variables
                         live */
  gchar *shared_name; /* what the program called it, or NULL */
} SrganTensorflowVariable;

typedef struct {
  SrganGraph *graph;
  GHashTable *functions; /* name -> Srgan__Tf__Function; or NULL */
  GPtrArray *variables;  /* of SrganTensorflowVariable */
  guint64 n_nodes;       /* added so far, functions' for each call */
  guint n_calls;
  gboolean has_inputs;  /* what it takes is known: other placeholders are not */
  gboolean is_training; /* as programs train them: much in it is not needed */
} SrganTensorflow;

/* A graph or a function's body, at one place that it is called from. */
typedef struct {
  SrganTensorflow *reader;
  const gchar *prefix; /* of its values' names in the graph that we make */
  const Srgan__Tf__Function *function; /* NULL: the main graph */
} SrganTensorflowScope;

/* What a node reads: the name of the node, or of the function's argument, that
 * makes @input (transfer full), and the output's number, or %NULL for an order
 * ("^name"). Of several outputs with names of their own the first is number 0,
 * and @number is -1 for the rest, which nothing reads. */
gchar *srgan_tensorflow_parse_input (
    const SrganTensorflowScope *scope, const gchar *input, gint *number);
/* The value's name in our graph (transfer full). */
gchar *srgan_tensorflow_get_value (
    const SrganTensorflowScope *scope, const gchar *node, gint number);
/* Both. */
gchar *srgan_tensorflow_get_input (
    const SrganTensorflowScope *scope, const gchar *input);

/* A node's attribute, or %NULL. */
const Srgan__Tf__Attribute *srgan_tensorflow_find (
    const Srgan__Tf__Node *node, const gchar *key);
/* A node of operation Const, unless it holds text. */
gboolean srgan_tensorflow_add_constant (const SrganTensorflowScope *scope,
    const Srgan__Tf__Node *node, GError **error);
/* A placeholder; @shape: what else is known of it, or %NULL. */
void srgan_tensorflow_add_input (const SrganTensorflowScope *scope,
    const Srgan__Tf__Node *node, const Srgan__Tf__Shape *shape);
/* Any other node but a call. Constants of its scope must be there. */
void srgan_tensorflow_add_node (
    const SrganTensorflowScope *scope, const Srgan__Tf__Node *node);

/* A graph as it was trained, @meta, whose weights are in @bundle. */
SrganNetwork *srgan_tensorflow_read_training (SrganSource *meta,
    SrganBundle *bundle, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error);

G_END_DECLS
