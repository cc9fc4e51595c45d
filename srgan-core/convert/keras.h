/* convert: Keras' models: layers with their settings in JSON, and weights.
 *
 * What .h5, .keras and TensorFlow.js' model.json have in common: the topology,
 * as Model.get_config() gives it in Keras 1, 2 and 3, becomes a SrganGraph.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include "convert/graph.h"
#include "convert/hdf5-file.h"

#include "network/json.h"

G_BEGIN_DECLS

/* Models within models. */
#define SRGAN_KERAS_MAX_DEPTH 12

/* A topology's text. */
extern const SrganJsonLimits srgan_keras_json_limits;

/* --- Weights (keras-weights.c) ------------------------------------------- */

/* Where a layer is: its name in its model, and that model's in the one
 * around it. */
typedef struct _SrganKerasPlace SrganKerasPlace;
struct _SrganKerasPlace {
  const SrganKerasPlace *outer; /* %NULL for the outermost model's layers */
  const gchar *name;
  const gchar *class_name;
  guint number; /* how many of its class come before it in its model */
};

typedef struct _SrganKerasWeights SrganKerasWeights;

/* Of a file's weights under group @root ("" or "model_weights"), either as
 * Model.save_weights() of Keras 1 and 2 names them, by layers' names, or as
 * Keras 3 does, by classes and numbers. @file must live as long. */
SrganKerasWeights *srgan_keras_weights_new_for_file (
    SrganHdf5 *file, const gchar *root);
/* Of a list of names like "conv2d/kernel". @set must live as long. */
SrganKerasWeights *srgan_keras_weights_new_for_set (SrganTensorSet *set);
void srgan_keras_weights_free (SrganKerasWeights *weights);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SrganKerasWeights, srgan_keras_weights_free)

/* A layer's variable by name (@names, ends with %NULL: of several spellings)
 * or, where names are not kept, by number; %NULL without an error where there
 * is none. */
SrganConstant *srgan_keras_weights_find (SrganKerasWeights *weights,
    const SrganKerasPlace *place, const gchar *const *names, guint number,
    GError **error);

/* --- Topologies (keras-model.c) ------------------------------------------ */

typedef struct {
  SrganGraph *graph;
  SrganKerasWeights *weights;
  gboolean javascript;  /* TensorFlow.js' layers differ in a few things */
  gboolean keras_3;     /* the topology is spelled so */
  guint n_calls;        /* of layers, shared ones and models' again and again */
  GHashTable *channels; /* value -> how many it has, where known */
} SrganKeras;

/* What a layer is called with: a value of the graph or a constant. */
typedef struct {
  gchar *value;
  JsonNode *constant; /* owned by the topology */
} SrganKerasArgument;

/* One call of a layer. */
typedef struct {
  SrganKerasPlace place;
  gchar *name;                /* with the models around it, for messages */
  JsonObject *config;         /* never %NULL */
  GPtrArray *arguments;       /* of SrganKerasArgument */
  JsonObject *keywords;       /* or %NULL */
  GHashTable *keyword_values; /* of those that are values: name -> value */
  gchar *output;
} SrganKerasCall;

/**
 * srgan_keras_add_model:
 * @graph: gets inputs, nodes and outputs
 * @model: {"class_name": "Functional", "config": {...}} or the like
 *
 * Returns: whether all of it could be translated, else @error is set
 */
gboolean srgan_keras_add_model (SrganGraph *graph, JsonObject *model,
    SrganKerasWeights *weights, gboolean javascript, GError **error);

/* The network of a topology (keras.c). */
SrganNetwork *srgan_keras_build (JsonObject *model, SrganKerasWeights *weights,
    gboolean javascript, const gchar *name, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error);

/* --- Layers (keras-layers.c) --------------------------------------------- */

/* Adds the nodes of a call; the error need not name the layer. */
gboolean srgan_keras_add_call (
    SrganKeras *self, SrganKerasCall *call, GError **error);
/* An activation by its name, or as Keras 3 writes it, from @value to @output.
 */
gboolean srgan_keras_add_activation (SrganKeras *self, SrganKerasCall *call,
    JsonNode *activation, const gchar *value, const gchar *output,
    GError **error);

/* --- Functions (keras-functions.c) --------------------------------------- */

/* Of tf.nn, tf.math, keras.ops and so on, by any spelling of its name; sets
 * @known where there is one. */
gboolean srgan_keras_add_function (SrganKeras *self, SrganKerasCall *call,
    const gchar *function, gboolean *known, GError **error);
/* A Lambda layer, whose function is a name or marshalled Python: that is looked
 * at, never executed. */
gboolean srgan_keras_add_lambda (
    SrganKeras *self, SrganKerasCall *call, GError **error);

/* --- Weights without a topology (keras-chain.c) -------------------------- */

/* The network of a file that has weights alone; the error says what could be
 * done. */
SrganNetwork *srgan_keras_read_weights (SrganHdf5 *file, const gchar *file_name,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error);

/* --- For all of these ----------------------------------------------------- */

/* Members of @object (may be %NULL) of the type asked for, or the standard. */
JsonObject *srgan_keras_get_object (JsonObject *object, const gchar *name);
JsonArray *srgan_keras_get_array (JsonObject *object, const gchar *name);
const gchar *srgan_keras_get_string (JsonObject *object, const gchar *name);
gdouble srgan_keras_get_number (
    JsonObject *object, const gchar *name, gdouble standard);
gboolean srgan_keras_get_boolean (
    JsonObject *object, const gchar *name, gboolean standard);
/* Whether @node is a number, which @number becomes. */
gboolean srgan_keras_is_number (JsonNode *node, gdouble *number);
/* One number for both, or two; FALSE where it is neither. */
gboolean srgan_keras_get_pair (
    JsonObject *object, const gchar *name, gint64 pair[2]);
/* Numbers within lists as a constant; %NULL where it is something else. */
SrganConstant *srgan_keras_get_constant (JsonNode *node);

/* The value that argument @number is, constants put into the graph; %NULL where
 * there is none. */
const gchar *srgan_keras_get_value (
    SrganKeras *self, SrganKerasCall *call, guint number);
/* A node from @input to @output, named after the call. */
SrganGraphNode *srgan_keras_add_node (SrganKeras *self, SrganKerasCall *call,
    SrganNodeKind kind, const gchar *input, const gchar *output);
guint srgan_keras_get_channels (SrganKeras *self, const gchar *value);
void srgan_keras_set_channels (
    SrganKeras *self, const gchar *value, guint channels);

G_END_DECLS
