/* Media types by extension. In: a path; out: the text of Content-Type. Must not know whether there
 * is such a file, nor look into it. */
#include "wire/media_type.h"

#include <string.h>

static const char UNKNOWN[] = "application/octet-stream";

const struct weir__media_entry weir__media_entries[WEIR__MEDIA_TYPES] = {
    {"7z", "application/x-7z-compressed"},
    {"aac", "audio/aac"},
    {"apng", "image/apng"},
    {"atom", "application/atom+xml"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"eot", "application/vnd.ms-fontobject"},
    {"epub", "application/epub+zip"},
    {"flac", "audio/flac"},
    {"gif", "image/gif"},
    {"glb", "model/gltf-binary"},
    {"gltf", "model/gltf+json"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/vnd.microsoft.icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"jxl", "image/jxl"},
    {"m3u8", "application/vnd.apple.mpegurl"},
    {"m4a", "audio/mp4"},
    {"m4v", "video/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpd", "application/dash+xml"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"rss", "application/rss+xml"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
};

/* What stands behind the dot; empty when there is none, or when it hides the file. */
static struct weir_slice extension_of(struct weir_slice path)
{
  size_t dot = path.len;
  while (dot > 0 && path.data[dot - 1] != '.' && path.data[dot - 1] != '/')
    dot--;
  if (dot < 2 || path.data[dot - 1] == '/' || path.data[dot - 2] == '/')
    return (struct weir_slice){NULL, 0};
  return (struct weir_slice){path.data + dot, path.len - dot};
}

static char lower(char c)
{
  return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static const char *find(const char *extension)
{
  size_t from = 0, to = WEIR__MEDIA_TYPES;
  while (from < to) {
    size_t middle = (from + to) / 2;
    int order = strcmp(extension, weir__media_entries[middle].extension);
    if (order == 0)
      return weir__media_entries[middle].type;
    if (order < 0)
      to = middle;
    else
      from = middle + 1;
  }
  return UNKNOWN;
}

const char *weir__media_type(struct weir_slice path)
{
  struct weir_slice text = extension_of(path);
  char extension[WEIR__MEDIA_EXTENSION_MAX + 1] = "";
  for (size_t i = 0; i < text.len && text.len < sizeof extension; i++)
    extension[i] = lower(text.data[i]);
  return strlen(extension) == text.len ? find(extension) : UNKNOWN; /* too long, or holds NUL */
}
