#include "config-message.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "wire.h"

static bool take_process(const struct field *field, struct process_spec *process);
static bool take_moment(const struct field *field, struct host_moment *moment);
static bool take_machine(const struct field *field, struct configuration *config);
static bool take_text(const struct field *field, char **text);
static bool take_item(const struct field *field, struct texts *texts);

bool parse_configuration(const uint8_t *data, size_t length, struct configuration *config, const char **reason) {
  struct field_reader reader = {data, length};
  struct field field;
  int got;
  *reason = "malformed configuration";
  while ((got = field_next(&reader, &field)) == 1) {
    bool taken = take_machine(&field, config) && take_process(&field, &config->program) &&
                 take_moment(&field, &config->moment);
    if (!taken) return false;
  }
  if (got < 0) return false;
  *reason = "configuration without host name";
  if (!config->hostname) return false;
  *reason = "configuration without a program's arguments";
  return config->maintenance || config->program.argv.count > 0;
}

bool parse_process(const uint8_t *data, size_t length, struct process_spec *process, const char **reason) {
  struct field_reader reader = {data, length};
  struct field field;
  int got;
  *reason = "malformed exec request";
  while ((got = field_next(&reader, &field)) == 1)
    if (!take_process(&field, process)) return false;
  if (got < 0) return false;
  *reason = "exec request without arguments";
  return process->argv.count > 0;
}

bool parse_moment(const uint8_t *data, size_t length, struct host_moment *moment, const char **reason) {
  struct field_reader reader = {data, length};
  struct field field;
  int got;
  *reason = "malformed refresh";
  while ((got = field_next(&reader, &field)) == 1)
    if (!take_moment(&field, moment)) return false;
  return got == 0;
}

static bool take_machine(const struct field *field, struct configuration *config) {
  uint32_t number;
  switch (field->key) {
    case KEY_HOSTNAME: return field->length > 0 && field->length <= 64 && take_text(field, &config->hostname);
    case KEY_ADDRESS: return take_text(field, &config->address);
    case KEY_GATEWAY: return take_text(field, &config->gateway);
    case KEY_MACHINE_ID: return take_text(field, &config->machine_id);
    case KEY_NAMESERVER: return take_item(field, &config->nameservers);
    case KEY_MODE:
      if (!field_u32(field, &number)) return false;
      config->maintenance = number != 0;
      return true;
    case KEY_STOP_SIGNAL:
      if (!field_u32(field, &number) || number > 64) return false;
      config->stop_signal = (int)number;
      return true;
    default: return true;
  }
}

static bool take_process(const struct field *field, struct process_spec *process) {
  uint32_t number;
  switch (field->key) {
    case KEY_ARGUMENT: return take_item(field, &process->argv);
    case KEY_ENVIRONMENT: return take_item(field, &process->env);
    case KEY_USER: return take_text(field, &process->user);
    case KEY_WORKING_DIRECTORY: return take_text(field, &process->working_directory);
    case KEY_ROWS:
      if (!field_u32(field, &number) || number > UINT16_MAX) return false;
      process->terminal = true;
      process->rows = (uint16_t)number;
      return true;
    case KEY_COLUMNS:
      if (!field_u32(field, &number) || number > UINT16_MAX) return false;
      process->columns = (uint16_t)number;
      return true;
    default: return true;
  }
}

static bool take_moment(const struct field *field, struct host_moment *moment) {
  switch (field->key) {
    case KEY_TIME_US: return field_u64(field, &moment->time_us);
    case KEY_SEED:
      if (field->length > sizeof moment->seed) return false;
      if (field->length > 0) memcpy(moment->seed, field->data, field->length);
      moment->seed_length = field->length;
      return true;
    default: return true;
  }
}

static bool take_text(const struct field *field, char **text) {
  free(*text);
  *text = field_text(field);
  return *text != NULL;
}

static bool take_item(const struct field *field, struct texts *texts) {
  char *text = field_text(field);
  if (!text) return false;
  texts_add(texts, text);
  return true;
}

void texts_add(struct texts *texts, char *item) {
  /* Room doubles at each power of two. */
  if ((texts->count & (texts->count + 1)) == 0)
    texts->items = need(realloc(texts->items, (texts->count * 2 + 2) * sizeof *texts->items));
  texts->items[texts->count++] = item;
  texts->items[texts->count] = NULL;
}

void texts_free(struct texts *texts) {
  for (size_t i = 0; i < texts->count; i++) free(texts->items[i]);
  free(texts->items);
  *texts = (struct texts){0};
}

void process_spec_free(struct process_spec *process) {
  texts_free(&process->argv);
  texts_free(&process->env);
  free(process->user);
  free(process->working_directory);
  *process = (struct process_spec){0};
}

void configuration_free(struct configuration *config) {
  free(config->hostname);
  free(config->address);
  free(config->gateway);
  free(config->machine_id);
  texts_free(&config->nameservers);
  process_spec_free(&config->program);
  *config = (struct configuration){0};
}
