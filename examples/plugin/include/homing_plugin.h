/* homing behind a C interface: asks servers questions, beside whatever else the host does, on the host's own thread.
 *
 * The host waits for plugin_fd() to become readable, in poll(2) or any other loop, and then calls plugin_turn().
 * Everything belongs to the thread that has called plugin_create().
 */
#ifndef HOMING_PLUGIN_H
#define HOMING_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct homing_plugin homing_plugin;

/* What has become of a request. */
#define PLUGIN_OK 0        /* the text is the answer */
#define PLUGIN_FAILED 1    /* the text says why */
#define PLUGIN_TIMED_OUT 2
#define PLUGIN_CANCELLED 3 /* by plugin_cancel() or plugin_destroy() */

/* Why a function has not done what it was asked. */
#define PLUGIN_BAD_ARGUMENT (-2)    /* NULL, text that is not UTF-8, an address that is none */
#define PLUGIN_WRONG_THREAD (-3)    /* not the one that has called plugin_create() */
#define PLUGIN_BUSY (-4)            /* from within a callback: a turn, or plugin_destroy() */
#define PLUGIN_SYSTEM (-5)          /* the operating system has refused something */
#define PLUGIN_PANICKED (-6)        /* a mistake in the plugin */
#define PLUGIN_NO_SUCH_REQUEST (-7) /* it has ended, or never was */

/* Called once for each request, from within plugin_turn() or plugin_destroy(). The text does not end in a zero byte, and
 * is there until the callback returns. It may call plugin_ask() and plugin_cancel(). */
typedef void (*plugin_answer)(void *context, int status, const char *text, size_t length);

/* NULL if the system gives no descriptor. */
homing_plugin *plugin_create(void);

/* Readable whenever a turn would do something. Wait for it, level-triggered; do not read or close it. */
int plugin_fd(const homing_plugin *plugin);

/* Does what there is to do, for about that many microseconds at most. Returns how many milliseconds may pass until the
 * next turn, if the descriptor does not become readable before: 0 for none, -1 for any; or why not, from -2 downwards.
 * It is also the last argument of poll(2). */
int plugin_turn(homing_plugin *plugin, uint32_t budget_us);

/* Connects to a server ("127.0.0.1:7000"), sends a line, waits for a line. Returns the request's number, from 1; or why not,
 * in which case the callback is never called. */
int64_t plugin_ask(homing_plugin *plugin, const char *server, const char *question, uint32_t limit_ms, plugin_answer done,
                   void *context);

/* Cancels a request. Its callback is called in one of the next turns. Returns 0, or why not. */
int plugin_cancel(homing_plugin *plugin, int64_t request);

/* Cancels what is left, calls the callbacks, and frees everything. Returns 0; or why not, and then nothing has happened. */
int plugin_destroy(homing_plugin *plugin);

#ifdef __cplusplus
}
#endif

#endif
