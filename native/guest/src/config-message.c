#include "config-message.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "wire.h"

static bool take_process(const struct field *field, struct process_spec *process);
static bool take_moment(const struct field *field, struct host_moment *moment);
static bool take_machine(const struct field *field, struct configuration *config);
static bool take_self(const struct field *field, struct self *self);
static bool take_rom(const struct field *field, struct roms *roms);
static bool valid_rom(const struct rom *rom, const struct roms *roms);
static bool take_becoming(const struct field *field, struct becoming *becoming, bool *has_mac);
static bool take_text(const struct field *field, char **text);
static bool take_item(const struct field *field, struct texts *texts);

bool parse_configuration(const uint8_t *data, size_t length, struct configuration *config, const char **reason) {
  struct field_reader reader = {data, length};
  struct field field;
  int got;
  *reason = "malformed configuration";
  while ((got = field_next(&reader, &field)) == 1) {
    bool taken = take_machine(&field, config) && take_self(&field, &config->self) &&
                 take_process(&field, &config->program) && take_moment(&field, &config->moment);
    if (!taken) return false;
  }
  if (got < 0) return false;
  *reason = "configuration without host name";
  if (!config->self.hostname) return false;
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

bool parse_becoming(const uint8_t *data, size_t length, struct becoming *becoming, const char **reason) {
  struct field_reader reader = {data, length};
  struct field field;
  int got;
  bool has_mac = false;
  *reason = "malformed becoming";
  while ((got = field_next(&reader, &field)) == 1) {
    bool taken = take_self(&field, &becoming->self) && take_moment(&field, &becoming->moment) &&
                 take_becoming(&field, becoming, &has_mac);
    if (!taken) return false;
  }
  const struct self *self = &becoming->self;
  if (got < 0) return false;
  *reason = "becoming that does not say who, and as what";
  return has_mac && becoming->kind && self->hostname && self->address && self->gateway && self->machine_id &&
         self->instance_id && self->instance_name;
}

bool parse_refreshment(const uint8_t *data, size_t length, struct refreshment *refreshment, const char **reason) {
  struct field_reader reader = {data, length};
  struct field field;
  int got;
  *reason = "malformed refresh";
  while ((got = field_next(&reader, &field)) == 1) {
    if (!take_moment(&field, &refreshment->moment)) return false;
    if (field.key == KEY_ROM && !take_rom(&field, &refreshment->roms)) return false;
  }
  return got == 0;
}

static bool take_machine(const struct field *field, struct configuration *config) {
  uint32_t number;
  switch (field->key) {
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

static bool take_self(const struct field *field, struct self *self) {
  switch (field->key) {
    case KEY_HOSTNAME: return field->length > 0 && field->length <= 64 && take_text(field, &self->hostname);
    case KEY_ADDRESS: return take_text(field, &self->address);
    case KEY_GATEWAY: return take_text(field, &self->gateway);
    case KEY_MACHINE_ID: return take_text(field, &self->machine_id);
    case KEY_INSTANCE_ID: return field->length == INSTANCE_ID_LENGTH && take_text(field, &self->instance_id);
    case KEY_INSTANCE_NAME: return field->length <= 255 && take_text(field, &self->instance_name);
    case KEY_NAMESERVER: return take_item(field, &self->nameservers);
    case KEY_ROM: return take_rom(field, &self->roms);
    default: return true;
  }
}

/* Counted at once: what a message that is refused had brought is freed with it. */
static bool take_rom(const struct field *whole, struct roms *roms) {
  struct field_reader reader = {whole->data, whole->length};
  struct field field;
  int got;
  if (roms->count == ROMS_MAX) return false;
  struct rom *rom = &roms->items[roms->count++];
  *rom = (struct rom){.slot = UINT32_MAX};
  while ((got = field_next(&reader, &field)) == 1) {
    bool taken = field.key == KEY_ROM_NAME   ? take_text(&field, &rom->name)
                 : field.key == KEY_ROM_AT   ? take_text(&field, &rom->at)
                 : field.key == KEY_ROM_SLOT ? field_u32(&field, &rom->slot)
                                             : true;
    if (!taken) return false;
  }
  return got == 0 && valid_rom(rom, roms);
}

/* The host has checked all of this; a name is a part of a path here, and a slot an index. */
static bool valid_rom(const struct rom *rom, const struct roms *roms) {
  if (!rom->name || !*rom->name || strlen(rom->name) > ROM_NAME_MAX || strchr(rom->name, '/')) return false;
  if (rom->slot >= ROMS_MAX || (rom->at && *rom->at != '/')) return false;
  for (const struct rom *other = roms->items; other < rom; other++)
    if (other->slot == rom->slot || strcmp(other->name, rom->name) == 0) return false;
  return true;
}

static bool take_becoming(const struct field *field, struct becoming *becoming, bool *has_mac) {
  uint32_t number;
  switch (field->key) {
    case KEY_KIND:
      if (!field_u32(field, &number) || number < BECOME_TEMPLATE || number > BECOME_REWIND) return false;
      becoming->kind = (enum becoming_kind)number;
      return true;
    case KEY_MAC:
      if (field->length != MAC_LENGTH) return false;
      memcpy(becoming->mac, field->data, MAC_LENGTH);
      return *has_mac = true;
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
    case KEY_STDIN:
      if (!field_u32(field, &number)) return false;
      process->stdin_open = number != 0;
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

void roms_free(struct roms *roms) {
  for (size_t i = 0; i < roms->count; i++) free(roms->items[i].name), free(roms->items[i].at);
  *roms = (struct roms){0};
}

void self_free(struct self *self) {
  free(self->hostname);
  free(self->address);
  free(self->gateway);
  free(self->machine_id);
  free(self->instance_id);
  free(self->instance_name);
  texts_free(&self->nameservers);
  roms_free(&self->roms);
  *self = (struct self){0};
}

void configuration_free(struct configuration *config) {
  self_free(&config->self);
  process_spec_free(&config->program);
  *config = (struct configuration){0};
}
