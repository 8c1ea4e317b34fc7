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
  CHECK(strcmp(config.hostname, "web") == 0 && config.program.argv.count == 100 && config.stop_signal == 3);
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

int main(void) {
  a_configuration_comes_back_as_it_went();
  what_would_cut_a_string_short_is_refused();
}
