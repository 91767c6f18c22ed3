/*
 * The first network card of the words stays what it is, with its model, address and place; it gets the socket in place of its back-end. All
 * other networks go: what -netdev, -net and -nic make, and further cards. Where there is no card one is added. A card is a -device with the
 * property `netdev`, in either of QEMU's notations, "driver,name=value,…" and JSON.
 */
#define _GNU_SOURCE
#include "machine_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is added: -device CARD -netdev SOCKET. */
#define ADDED 4

static const char default_name[] = "hostnet0";

/* Options may have one dash or two. NULL: no option. */
static const char *option_name(const char *word) {
  if (word[0] != '-' || !word[1])
    return NULL;
  return word + (word[1] == '-' ? 2 : 1);
}

static bool is_one_of(const char *name, const char *const *names) {
  for (; *names; names++)
    if (!strcmp(name, *names))
      return true;
  return false;
}

static bool asks(const char *value) {
  size_t length = strlen(value);
  return !strcmp(value, "help") || !strcmp(value, "?") || (length > 5 && !strcmp(value + length - 5, ",help"));
}

bool start_a_machine(char *const *words) {
  static const char *const questions[] = {"version", "h", "help", NULL};
  static const char *const machines[] = {"machine", "M", NULL};
  for (; *words; words++) {
    const char *name = option_name(*words), *value = words[1];
    if (!name)
      continue;
    if (is_one_of(name, questions) || (value && asks(value)))
      return false;
    if (value && is_one_of(name, machines) && !strncmp(value, "none", 4) && (!value[4] || value[4] == ','))
      return false;
  }
  return true;
}

/* What follows the name of the property and "=" or ":", and how long it is. */
struct value {
  const char *at;
  size_t length;
};

/* `name` with its quotes. */
static struct value json_value(const char *text, const char *name) {
  static const char blanks[] = " \t\r\n";
  for (const char *at = text; (at = strstr(at, name));) {
    at += strlen(name);
    at += strspn(at, blanks);
    if (*at++ != ':')
      continue;
    at += strspn(at, blanks);
    if (*at++ == '"')
      return (struct value){at, strcspn(at, "\"")};
  }
  return (struct value){NULL, 0};
}

/* Of two commas in a row the first is part of a value. */
static size_t part_length(const char *part) {
  size_t length = 0;
  while (part[length] && (part[length] != ',' || part[length + 1] == ','))
    length += part[length] == ',' ? 2 : 1;
  return length;
}

static struct value plain_value(const char *text, const char *name) {
  size_t name_length = strlen(name);
  for (const char *part = text;; part++) {
    size_t length = part_length(part);
    if (length > name_length && !strncmp(part, name, name_length) && part[name_length] == '=')
      return (struct value){part + name_length + 1, length - name_length - 1};
    part += length;
    if (!*part)
      return (struct value){NULL, 0};
  }
}

/* The back-end that the value of -device asks for; `at` NULL: it is no network card. */
static struct value back_end(const char *device) {
  return device[0] == '{' ? json_value(device, "\"netdev\"") : plain_value(device, "netdev");
}

struct line {
  char **words;
  size_t count;
  /* The back-end of the card that is kept. */
  struct value card;
};

/* Takes over an option with its value, or one word, unless it is a network's. How many words that were. */
static size_t take(struct line *line, char *const *words) {
  static const char *const networks[] = {"netdev", "net", "nic", NULL};
  const char *name = option_name(words[0]);
  size_t count = 1;
  if (name && words[1]) {
    if (is_one_of(name, networks))
      return 2;
    struct value card = {NULL, 0};
    if (!strcmp(name, "device"))
      card = back_end(words[1]);
    if (card.at) {
      if (line->card.at)
        return 2;
      line->card = card;
      count = 2;
    }
  }
  for (size_t word = 0; word < count; word++)
    line->words[line->count++] = words[word];
  return count;
}

static bool append(struct line *line, char *option, const char *form, ...) {
  va_list values;
  char *value;
  va_start(values, form);
  int length = vasprintf(&value, form, values);
  va_end(values);
  if (length < 0)
    return false;
  line->words[line->count++] = option;
  line->words[line->count++] = value;
  return true;
}

char **connect_machine(char *const *words, int fd) {
  struct line line = {NULL, 0, {NULL, 0}};
  size_t count = 0;
  while (words[count])
    count++;
  line.words = calloc(count + ADDED + 1, sizeof *line.words);
  if (!line.words)
    return NULL;
  while (*words)
    words += take(&line, words);
  if (!line.card.at) {
    line.card = (struct value){default_name, strlen(default_name)};
    if (!append(&line, "-device", "virtio-net-pci,netdev=%s", default_name))
      return NULL;
  }
  if (!append(&line, "-netdev", "socket,id=%.*s,fd=%d", (int)line.card.length, line.card.at, fd))
    return NULL;
  return line.words;
}
