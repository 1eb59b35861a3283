// GCC 12 calls a younger edition of std::condition_variable::wait, which the libstdc++ of glibc 2.34's time
// (RHEL 9) lacks; it is the only such symbol. All calls of the module go here (--wrap), and on to the edition
// that both have. They differ in noexcept alone.
extern "C" {

void arrowcdc_condition_variable_wait(void* condition, void* lock);
__asm__(
    ".symver arrowcdc_condition_variable_wait, "
    "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");

void __wrap__ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE(void* condition, void* lock) {
  arrowcdc_condition_variable_wait(condition, lock);
}

}  // extern "C"
