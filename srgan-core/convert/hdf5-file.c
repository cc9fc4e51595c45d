/* convert: what is in an HDF5 file, read by a program of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/hdf5-file.h"

#include "convert/hdf5-answer.h"
#include "convert/reader.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Numbers that a file may hold, by its size: as for zip archives. */
#define MAX_RATIO 8
#define MIN_LIMIT (16 * 1024 * 1024)
/* The child may compute for 20 seconds; it may have to wait for a processor. */
#define MAX_SECONDS 120

/* The signature lies at 0, 512, 1024, 2048, ...: III.A of the format's
 * specification, version 3. */
static const guint8 signature[] = "\211HDF\r\n\032\n";

gboolean
srgan_hdf5_detect (SrganSource *source)
{
  if (srgan_source_has_bytes (source, 0, signature, 8))
    return TRUE;
  for (gsize at = 512; at < 65536; at *= 2)
    if (srgan_source_has_bytes (source, at, signature, 8))
      return TRUE;
  return FALSE;
}

void
srgan_hdf5_free (SrganHdf5 *file)
{
  srgan_tensor_set_free (file->tensors);
  g_hash_table_unref (file->attributes);
  g_ptr_array_unref (file->groups);
  g_free (file);
}

/* --- The answer ---------------------------------------------------------- */

static void
free_strings (gpointer strings)
{
  g_strfreev (strings);
}

static gchar *
take_text (SrganHdf5Take take, gpointer data, gsize n, GError **error)
{
  g_autofree gchar *text = g_malloc (n + 1);

  if (!take (data, text, n, error))
    return NULL;
  text[n] = '\0';
  if (!g_utf8_validate (text, (gssize) n, NULL) ||
      memchr (text, 0, n) != NULL) {
    srgan_convert_corrupt (error, "a name in it is no text");
    return NULL;
  }
  return g_steal_pointer (&text);
}

static gboolean
take_attribute (SrganHdf5 *file, const gchar *name, SrganHdf5Take take,
    gpointer data, gsize n, GError **error)
{
  g_autofree gchar *text = g_malloc (n + 1);
  GPtrArray *strings;

  if (!take (data, text, n, error))
    return FALSE;
  text[n] = '\0';
  strings = g_ptr_array_new ();
  for (gsize at = 0; at < n; at += strlen (text + at) + 1)
    g_ptr_array_add (strings, g_utf8_make_valid (text + at, -1));
  g_ptr_array_add (strings, NULL);
  g_hash_table_replace (
      file->attributes, g_strdup (name), g_ptr_array_free (strings, FALSE));
  return TRUE;
}

static gboolean
take_tensor (SrganHdf5 *file, const gchar *name, const SrganHdf5Head *head,
    SrganHdf5Take take, gpointer data, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  guint64 n = sizeof (gfloat);
  gpointer numbers;

  if (head->rank > SRGAN_HDF5_MAX_RANK)
    return srgan_convert_corrupt (error, "a tensor of %u axes", head->rank);
  for (guint i = 0; i < head->rank; i++)
    if (!g_uint64_checked_mul (&n, n, head->dimensions[i]))
      return srgan_convert_corrupt (error, "a tensor whose size overflows");
  if (n != head->data_length)
    return srgan_convert_corrupt (
        error, "a tensor whose shape is not that of its numbers");
  numbers = g_try_malloc (MAX (n, 1));
  if (numbers == NULL)
    return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "no memory for %" G_GUINT64_FORMAT " bytes", n);
  bytes = g_bytes_new_take (numbers, n);
  return take (data, numbers, n, error) &&
         srgan_tensor_set_add_bytes (file->tensors, name, SRGAN_DTYPE_FLOAT32,
             head->rank, head->dimensions, bytes, error);
}

static gboolean
take_records (SrganHdf5 *file, SrganHdf5Take take, gpointer data, guint64 left,
    GError **error)
{
  guint64 text_left = SRGAN_HDF5_MAX_TEXT;
  gchar magic[8];

  if (!take (data, magic, sizeof magic, error))
    return FALSE;
  if (memcmp (magic, SRGAN_HDF5_MAGIC, sizeof magic) != 0)
    return srgan_convert_corrupt (error, "srgan-hdf5 is of another version");
  for (guint i = 0; i <= SRGAN_HDF5_MAX_RECORDS; i++) {
    g_autofree gchar *name = NULL;
    g_autofree gchar *text = NULL;
    SrganHdf5Head head;
    guint64 *budget;

    if (!take (data, &head, sizeof head, error))
      return FALSE;
    budget = head.kind == SRGAN_HDF5_TENSOR ? &left : &text_left;
    if (head.name_length > SRGAN_HDF5_MAX_NAME || head.data_length > *budget)
      return srgan_convert_corrupt (
          error, "it holds more than a file of its size can");
    *budget -= head.data_length;
    name = take_text (take, data, head.name_length, error);
    if (name == NULL)
      return FALSE;
    switch (head.kind) {
    case SRGAN_HDF5_END:
      return TRUE;
    case SRGAN_HDF5_GROUP:
      g_ptr_array_add (file->groups, g_steal_pointer (&name));
      if (head.data_length != 0)
        return srgan_convert_corrupt (error, "a group with data");
      break;
    case SRGAN_HDF5_ATTRIBUTE:
      if (!take_attribute (file, name, take, data, head.data_length, error))
        return FALSE;
      break;
    case SRGAN_HDF5_TENSOR:
      if (!take_tensor (file, name, &head, take, data, error))
        return FALSE;
      break;
    case SRGAN_HDF5_ERROR:
    case SRGAN_HDF5_REFUSED:
      text = take_text (take, data, MIN (head.data_length, 1024), error);
      if (text != NULL) {
        g_autofree gchar *quoted = g_strescape (text, NULL);

        srgan_convert_fail (error,
            head.kind == SRGAN_HDF5_ERROR ? SRGAN_ERROR_CORRUPT
                                          : SRGAN_ERROR_UNSUPPORTED,
            "%s", quoted);
      }
      return FALSE;
    default:
      return srgan_convert_corrupt (error, "a record of kind %u", head.kind);
    }
  }
  return srgan_convert_corrupt (
      error, "it holds more than %u things", SRGAN_HDF5_MAX_RECORDS);
}

SrganHdf5 *
srgan_hdf5_parse (
    SrganHdf5Take take, gpointer data, guint64 limit, GError **error)
{
  g_autoptr (SrganHdf5) file = g_new0 (SrganHdf5, 1);

  file->tensors = srgan_tensor_set_new (NULL, NULL);
  file->attributes =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_strings);
  file->groups = g_ptr_array_new_with_free_func (g_free);
  if (!take_records (file, take, data, limit, error))
    return NULL;
  return g_steal_pointer (&file);
}

const gchar *
srgan_hdf5_get_text (SrganHdf5 *file, const gchar *path, const gchar *name)
{
  g_autofree gchar *key = g_strconcat (path, "@", name, NULL);
  gchar **strings = g_hash_table_lookup (file->attributes, key);

  return strings != NULL ? strings[0] : NULL;
}

GPtrArray *
srgan_hdf5_get_list (SrganHdf5 *file, const gchar *path, const gchar *name)
{
  GPtrArray *list = NULL;

  for (gint part = -1; part < SRGAN_HDF5_MAX_RECORDS; part++) {
    g_autofree gchar *key = part < 0
                                ? g_strconcat (path, "@", name, NULL)
                                : g_strdup_printf ("%s@%s%d", path, name, part);
    gchar **strings = g_hash_table_lookup (file->attributes, key);

    if (strings == NULL && part >= 0)
      break;
    if (strings == NULL)
      continue;
    if (list == NULL)
      list = g_ptr_array_new ();
    for (guint i = 0; strings[i] != NULL; i++)
      g_ptr_array_add (list, strings[i]);
    if (part < 0)
      break;
  }
  return list;
}

/* --- The child ----------------------------------------------------------- */

#ifdef HAVE_HDF5

typedef struct {
  pid_t process;
  gint channel;
  const guint8 *unsent; /* of the file */
  gsize n_unsent;
  gint64 deadline; /* g_get_monotonic_time() */
} Child;

/* Where the program lies: beside the library, as in the folder that it is built
 * in; or where both are installed, wherever that tree has been moved to. */
static gchar *
find_program (void)
{
  static const gchar own;
  Dl_info place;
  gchar *path;

  if (dladdr (&own, &place) != 0 && place.dli_fname != NULL) {
    g_autofree gchar *folder = g_path_get_dirname (place.dli_fname);

    path = g_build_filename (folder, "srgan-hdf5", NULL);
    if (g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
      return path;
    g_free (path);
    path = g_build_filename (folder, HDF5_PROGRAM_FROM_LIBRARY, NULL);
    if (g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
      return path;
    g_free (path);
  }
  return g_strdup (HDF5_PROGRAM);
}

static gboolean
start (Child *child, guint64 size, guint64 limit, GError **error)
{
  g_autofree gchar *program = find_program ();
  g_autofree gchar *size_text = g_strdup_printf ("%" G_GUINT64_FORMAT, size);
  g_autofree gchar *limit_text = g_strdup_printf ("%" G_GUINT64_FORMAT, limit);
  g_autofree gchar *libraries = NULL;
  gchar *const arguments[] = {program, size_text, limit_text, NULL};
  gchar *environment[2] = {NULL, NULL};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  sigset_t signals;
  gint ends[2], failure;

  /* a pipe that nobody reads any more would end our process by a signal */
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return srgan_convert_fail (
        error, SRGAN_ERROR_READ, "socketpair: %s", g_strerror (errno));
  if (g_getenv ("LD_LIBRARY_PATH") != NULL)
    environment[0] = libraries =
        g_strconcat ("LD_LIBRARY_PATH=", g_getenv ("LD_LIBRARY_PATH"), NULL);
  posix_spawn_file_actions_init (&files);
  posix_spawn_file_actions_adddup2 (&files, ends[1], STDIN_FILENO);
  posix_spawn_file_actions_adddup2 (&files, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen (
      &files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_init (&attributes);
  sigemptyset (&signals);
  posix_spawnattr_setsigmask (&attributes, &signals);
  sigaddset (&signals, SIGPIPE);
  sigaddset (&signals, SIGXCPU);
  sigaddset (&signals, SIGXFSZ);
  posix_spawnattr_setsigdefault (&attributes, &signals);
  posix_spawnattr_setflags (
      &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  failure = posix_spawn (
      &child->process, program, &files, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy (&files);
  posix_spawnattr_destroy (&attributes);
  close (ends[1]);
  if (failure != 0) {
    close (ends[0]);
    return srgan_convert_fail (error, SRGAN_ERROR_NOT_FOUND,
        "%s, which reads HDF5 files, cannot be started: %s", program,
        g_strerror (failure));
  }
  child->channel = ends[0];
  fcntl (child->channel, F_SETFL, fcntl (child->channel, F_GETFL) | O_NONBLOCK);
  child->deadline = g_get_monotonic_time () + MAX_SECONDS * G_USEC_PER_SEC;
  return TRUE;
}

/* Takes bytes from the child, while it gets what it has not yet of the file. */
static gboolean
take_from_child (gpointer data, gpointer to, gsize n, GError **error)
{
  Child *child = data;
  guint8 *at = to;

  while (n > 0) {
    struct pollfd channel = {child->channel, POLLIN, 0};
    gint64 wait = child->deadline - g_get_monotonic_time ();
    gssize moved;

    if (child->n_unsent > 0)
      channel.events |= POLLOUT;
    if (wait <= 0)
      return srgan_convert_corrupt (error, "reading it takes too long");
    if (poll (&channel, 1, (gint) (wait / 1000) + 1) <= 0)
      continue; /* a signal, or the time is over */
    if (channel.revents & POLLOUT) {
      moved = send (child->channel, child->unsent, child->n_unsent,
          MSG_NOSIGNAL | MSG_DONTWAIT);
      if (moved > 0) {
        child->unsent += moved;
        child->n_unsent -= (gsize) moved;
      } else if (errno != EAGAIN && errno != EINTR) {
        child->n_unsent = 0; /* it may have said why */
      }
    }
    if (!(channel.revents & (POLLIN | POLLHUP | POLLERR)))
      continue;
    moved = recv (child->channel, at, n, MSG_DONTWAIT);
    if (moved > 0) {
      at += moved;
      n -= (gsize) moved;
    } else if (moved == 0 || (errno != EAGAIN && errno != EINTR)) {
      return srgan_convert_corrupt (error, "reading it broke off");
    }
  }
  return TRUE;
}

/* Ends the child; FALSE when it had ended by a signal already. */
static gboolean
finish (Child *child, gint *end_signal)
{
  gint status = 0;

  close (child->channel);
  kill (child->process, SIGKILL);
  while (waitpid (child->process, &status, 0) < 0 && errno == EINTR)
    ;
  *end_signal = WIFSIGNALED (status) ? WTERMSIG (status) : 0;
  return *end_signal == 0 || *end_signal == SIGKILL;
}

SrganHdf5 *
srgan_hdf5_read (SrganSource *source, GError **error)
{
  Child child = {.unsent = source->data, .n_unsent = source->size};
  guint64 limit = MAX ((guint64) source->size * MAX_RATIO, MIN_LIMIT);
  g_autoptr (GError) reason = NULL;
  SrganHdf5 *file;
  gint end_signal;

  limit = MIN (limit, SRGAN_SOURCE_MAX_BYTES);
  if (!start (&child, source->size, limit, error))
    return NULL;
  file = srgan_hdf5_parse (take_from_child, &child, limit, &reason);
  if (!finish (&child, &end_signal) && file == NULL) {
    if (end_signal == SIGXCPU)
      srgan_convert_corrupt (
          error, "HDF5: the file is damaged: libhdf5 did not come to an end");
    else
      srgan_convert_corrupt (error,
          "HDF5: the file is damaged: libhdf5 crashed on it (signal %d), in a "
          "process of its own",
          end_signal);
    return NULL;
  }
  if (file == NULL) {
    g_prefix_error (&reason, "HDF5: ");
    g_propagate_error (error, g_steal_pointer (&reason));
  }
  return file;
}

#else

SrganHdf5 *
srgan_hdf5_read (SrganSource *source, GError **error)
{
  srgan_convert_unsupported (error,
      "an HDF5 file (Keras): this build was made without HDF5; install "
      "libhdf5-dev and build it again, or convert the model to ONNX with "
      "tf2onnx");
  return NULL;
}

#endif
