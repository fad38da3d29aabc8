//! What the C compiler does not see.

use homing_plugin::{
    PLUGIN_BAD_ARGUMENT, PLUGIN_WRONG_THREAD, plugin_create, plugin_destroy, plugin_fd, plugin_turn,
};

#[test]
#[allow(unsafe_code)]
fn another_thread_is_told_that_the_plugin_is_not_its_own() {
    let plugin = plugin_create().unwrap().as_ptr();
    let address = plugin.expose_provenance();
    let other = std::thread::spawn(move || {
        let plugin = std::ptr::with_exposed_provenance_mut(address);
        // SAFETY: it has not been destroyed.
        unsafe { [plugin_turn(plugin, 1), plugin_fd(plugin), plugin_destroy(plugin)] }
    });
    assert_eq!(other.join().unwrap(), [PLUGIN_WRONG_THREAD; 3]);
    // SAFETY: it has not been destroyed, and is not used afterwards.
    unsafe {
        assert!(plugin_fd(plugin) >= 0);
        assert_eq!(plugin_destroy(plugin), 0);
        assert_eq!(plugin_destroy(std::ptr::null_mut()), PLUGIN_BAD_ARGUMENT);
    }
}
