#include <string.h>

#include "check.h"
#include "config-message.h"
#include "fields.h"
#include "wire.h"

static void a_configuration_comes_back_as_it_went(void) {
  struct bytes bytes = {0};
  field_put_text(&bytes, KEY_HOSTNAME, "web");
  for (int i = 0; i < 100; i++) field_put_text(&bytes, KEY_ARGUMENT, i ? "x" : "sh");
  field_put_text(&bytes, KEY_ENVIRONMENT, "A=b=c");
  field_put_u32(&bytes, KEY_STOP_SIGNAL, 3);
  field_put_u64(&bytes, KEY_TIME_US, 1234567);
  field_put(&bytes, 200, "unknown keys are passed over", 5);
  struct configuration config = {0};
  const char *reason;
  CHECK(parse_configuration(bytes.data, bytes.length, &config, &reason));
  CHECK(strcmp(config.self.hostname, "web") == 0 && config.program.argv.count == 100 && config.stop_signal == 3);
  CHECK(strcmp(config.program.argv.items[0], "sh") == 0 && config.program.argv.items[100] == NULL);
  CHECK(strcmp(config.program.env.items[0], "A=b=c") == 0 && config.moment.time_us == 1234567);
  configuration_free(&config);
  /* Cut anywhere it is refused or lacks something; never more than was sent is read (AddressSanitizer watches). */
  for (size_t length = 0; length < bytes.length; length++) {
    struct bytes cut = {0};
    bytes_append(&cut, bytes.data, length);
    parse_configuration(cut.data, cut.length, &config, &reason);
    configuration_free(&config);
    bytes_free(&cut);
  }
  bytes_free(&bytes);
}

static void what_would_cut_a_string_short_is_refused(void) {
  struct bytes bytes = {0};
  struct configuration config = {0};
  const char *reason;
  field_put(&bytes, KEY_HOSTNAME, "a\0b", 3);
  CHECK(!parse_configuration(bytes.data, bytes.length, &config, &reason));
  configuration_free(&config);
  bytes_free(&bytes);
}

static struct bytes becoming_of(const char *rom_name, const char *rom_at, uint32_t slot) {
  struct bytes bytes = {0}, rom = {0};
  static const struct {
    uint8_t key;
    const char *text;
  } texts[] = {{KEY_HOSTNAME, "copy"}, {KEY_ADDRESS, "10.0.0.9"}, {KEY_GATEWAY, "169.254.1.1"},
               {KEY_MACHINE_ID, "1"}, {KEY_INSTANCE_NAME, "copy"}, {KEY_INSTANCE_ID, "22222222-2222-4222-8222-222222222222"}};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) field_put_text(&bytes, texts[i].key, texts[i].text);
  field_put_u32(&bytes, KEY_KIND, BECOME_BRANCH);
  field_put_text(&rom, KEY_ROM_NAME, rom_name);
  if (rom_at) field_put_text(&rom, KEY_ROM_AT, rom_at);
  field_put_u32(&rom, KEY_ROM_SLOT, slot);
  field_put(&bytes, KEY_ROM, rom.data, rom.length);
  bytes_free(&rom);
  return bytes;
}

static bool becomes(struct bytes bytes, bool with_mac) {
  struct becoming becoming = {0};
  const char *reason;
  if (with_mac) field_put(&bytes, KEY_MAC, "\2\0\0\0\0\1", 6);
  bool ok = parse_becoming(bytes.data, bytes.length, &becoming, &reason);
  if (ok) CHECK(becoming.kind == BECOME_BRANCH && becoming.mac[5] == 1 && becoming.self.roms.count == 1);
  self_free(&becoming.self);
  bytes_free(&bytes);
  return ok;
}

static void a_becoming_says_all_of_who_and_where_its_roms_are(void) {
  CHECK(becomes(becoming_of("data", "/data", 0), true) && becomes(becoming_of("data", NULL, ROMS_MAX - 1), true));
  CHECK(!becomes(becoming_of("data", "/data", 0), false));
  CHECK(!becomes(becoming_of("data", "data", 0), true) && !becomes(becoming_of("../x", NULL, 0), true));
  CHECK(!becomes(becoming_of("", NULL, 0), true) && !becomes(becoming_of("data", NULL, ROMS_MAX), true));
  struct bytes one = becoming_of("data", NULL, 1), two = becoming_of("data", NULL, 2), same = becoming_of("other", NULL, 1);
  struct bytes twice = {0};
  bytes_append(&twice, one.data, one.length);
  bytes_append(&twice, two.data, two.length);
  CHECK(!becomes(twice, true));
  bytes_append(&one, same.data, same.length);
  CHECK(!becomes(one, true));
  bytes_free(&two);
  bytes_free(&same);
}

int main(void) {
  a_configuration_comes_back_as_it_went();
  what_would_cut_a_string_short_is_refused();
  a_becoming_says_all_of_who_and_where_its_roms_are();
}
