/* convert: the network that a graph becomes: its two ends and its notes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/family.h"
#include "convert/graph.h"

#include <math.h>
#include <string.h>

void
srgan_report_licence (
    SrganConvertReport *report, const gchar *name, const gchar *text)
{
  g_autofree gchar *lower = NULL;

  if (report->licence != NULL || text == NULL || *text == '\0')
    return;
  lower = g_ascii_strdown (name != NULL ? name : text, -1);
  if (strstr (lower, "licen") == NULL && strstr (lower, "copyright") == NULL)
    return;
  report->licence = g_utf8_make_valid (text, MIN (strlen (text), 2000));
}

static gchar *
describe_range (gdouble low, gdouble high)
{
  return g_strdup_printf ("%g-%g", low, high);
}

/* What a network may be called: the file's name, without folder and ending. */
static gchar *
make_name (const gchar *path)
{
  g_autofree gchar *base = g_path_get_basename (path);
  g_autofree gchar *valid = NULL;
  gchar *dot = strrchr (base, '.');
  GString *name = g_string_new (NULL);

  if (dot != NULL && dot > base)
    *dot = '\0';
  valid = g_utf8_make_valid (base, -1);
  for (const gchar *c = valid; *c != '\0' && name->len < 120;
       c = g_utf8_next_char (c)) {
    gunichar letter = g_utf8_get_char (c);

    g_string_append_unichar (name, g_unichar_isprint (letter) ? letter : '_');
  }
  if (name->len == 0)
    g_string_append (name, "network");
  return g_string_free (name, FALSE);
}

/* Whether the output is cut to 0 .. 255, which tells what its numbers are.
 * Where no layer adds a number of its own, a network does the same to numbers
 * of any range, and the cut is that of a frame. */
static gboolean
gives_codes (SrganDraft *draft)
{
  const SrganDraftLayer *last =
      srgan_draft_get (draft, (gint) draft->layers->len - 1);

  if (last->layer.activation != SRGAN_ACTIVATION_CLIP ||
      last->layer.activation_low != 0.f ||
      fabsf (last->layer.activation_high - 255.f) > 1.f)
    return FALSE;
  for (guint i = 0; i < draft->layers->len; i++) {
    const SrganDraftLayer *layer = g_ptr_array_index (draft->layers, i);

    for (guint j = 0; layer->bias != NULL && j < layer->layer.out_channels; j++)
      if (layer->bias[j] != 0.f)
        return TRUE;
  }
  return FALSE;
}

SrganNetwork *
srgan_graph_finish (SrganGraph *graph, SrganDraft *draft,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  SrganNetwork *network;
  SrganColour colour;
  gdouble low = graph->input_low, high = graph->input_high;
  gdouble output_low = graph->output_low, output_high = graph->output_high;
  gboolean swapped = graph->blue_first && draft->channels == 3;

  if (high == 0.)
    high = gives_codes (draft) ? 255. : 1.;
  if (output_high == 0.) {
    output_low = low;
    output_high = high;
  }
  if (options->range != SRGAN_RANGE_AUTO) {
    low = output_low = 0.;
    high = output_high = options->range == SRGAN_RANGE_CODE ? 255. : 1.;
  }
  if (options->order == SRGAN_ORDER_Y && draft->channels != 1) {
    srgan_convert_fail (error, SRGAN_ERROR_INVALID,
        "colour: y was asked for, the network takes %u channels",
        draft->channels);
    return NULL;
  }
  if (options->order == SRGAN_ORDER_RGB || options->order == SRGAN_ORDER_BGR) {
    if (draft->channels != 3) {
      srgan_convert_fail (error, SRGAN_ERROR_INVALID,
          "colour: %s was asked for, the network takes 1 channel",
          srgan_order_to_string (options->order));
      return NULL;
    }
    swapped = options->order == SRGAN_ORDER_BGR;
  }

  if (options->features)
    srgan_draft_set_mean (draft, options->mean);
  draft->rounds_twice = graph->rounds_twice;
  srgan_draft_set_range (draft, low, high, output_low, output_high);
  if (swapped)
    srgan_draft_swap_colours (draft);
  srgan_draft_simplify (draft);

  colour = draft->channels == 1 ? SRGAN_COLOUR_Y
           : graph->ycbcr       ? SRGAN_COLOUR_YCBCR
                                : SRGAN_COLOUR_RGB;
  g_free (report->order);
  report->order = g_strdup (swapped ? "bgr" : srgan_colour_to_string (colour));
  g_free (report->range);
  report->range = describe_range (low, high);
  if (output_low != low || output_high != high) {
    g_autofree gchar *input = g_steal_pointer (&report->range);
    g_autofree gchar *output = describe_range (output_low, output_high);

    report->range = g_strdup_printf ("%s to %s", input, output);
  }

  draft->feature_layers = options->feature_layers;
  g_free (draft->name);
  draft->name = make_name (graph->name != NULL ? graph->name : "");
  network = srgan_draft_finish (draft, colour, error);
  if (network == NULL)
    return NULL;
  for (guint i = 0; i < draft->notes->len; i++)
    srgan_report_remark (
        report, "%s", (const gchar *) g_ptr_array_index (draft->notes, i));
  if (report->licence != NULL)
    srgan_network_set_note (network, "licence", report->licence);
  if (!srgan_network_finish (network, error)) {
    srgan_network_unref (network);
    return NULL;
  }
  if (report->architecture == NULL)
    report->architecture = srgan_family_describe (network, NULL);
  return network;
}

SrganNetwork *
srgan_graph_build (SrganGraph *graph, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autoptr (SrganDraft) draft = NULL;

  graph->features = options->features;
  draft = srgan_graph_lower (graph, error);
  if (draft == NULL)
    return NULL;
  return srgan_graph_finish (graph, draft, options, report, error);
}
