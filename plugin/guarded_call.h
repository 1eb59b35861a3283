// Calls that may raise whatever they like (functions of users, filters over data): in a subtransaction of
// their own, which an error rolls back, so that it does not end the session.
#pragma once

namespace arrowcdc::plugin {

// Runs function(argument) in the current memory context, which is the current one again afterwards, as are
// resource owner and CheckXidAlive. False: it raised, and `sqlstate` says what (elog.h); nothing is left of
// what it held, and what it had half done in memory is the caller's to throw away. Errors that say nothing of
// the call itself go on: of the decoded transaction (class 40), of who ends the session, of memory and disk.
bool CallGuarded(void (*function)(void* argument), void* argument, int* sqlstate);

}  // namespace arrowcdc::plugin
