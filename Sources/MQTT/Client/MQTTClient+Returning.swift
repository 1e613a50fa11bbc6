internal import Logging
internal import MQTTWire
internal import NIOCore
internal import NIOPosix

// The way back to the preferred endpoint.
extension MQTTClient {
    /// On a connection to another endpoint: looks for the preferred one when this one has stood for long enough.
    func scheduleReturn() {
        guard let delay = selection.returnDelay else { return }
        let id = link.id
        link.returnTimer = after(delay) { $0.lookForPreferred(id) }
    }

    private func lookForPreferred(_ id: Int) {
        guard link.id == id, link.isUp, let preferred = selection.preferred else { return }
        // Whether it also speaks TLS and MQTT will be seen; if not, we are back here soon.
        ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .connect(host: preferred.host, port: preferred.port)
            .whenComplete { [weak self] result in
                if case .success(let channel) = result { channel.close(promise: nil) }
                self?.assumeIsolated { $0.found((try? result.get()) != nil, on: id) }
            }
    }

    private func found(_ isThere: Bool, on id: Int) {
        guard link.id == id, link.isUp else { return }
        guard isThere else {
            selection.returnFailed()
            return scheduleReturn()
        }
        // What is under way here would be sent anew there.
        link.isReturning = true
        link.returnTimer = after(configuration.responseTimeout) { $0.stay(id) }
        leaveWhenNothingIsUnderWay()
    }

    /// The server did not acknowledge everything in time.
    private func stay(_ id: Int) {
        guard link.id == id, link.isUp, link.isReturning else { return }
        link.isReturning = false
        selection.returnFailed()
        scheduleReturn()
        pump()
    }

    /// To be called when something was acknowledged.
    func leaveWhenNothingIsUnderWay() {
        guard link.isReturning, link.isUp, session.inFlight == 0, steps.isEmpty, noting == nil,
            link.unwritten.isEmpty, direct.isEmpty,
            // What is not processed, and what waits behind it, would be deleted with the session.
            configuration.endpointsShareSessions || session.incoming.underWay == 0
        else { return }
        var goodbye = Disconnect()
        // Nothing of ours is left in the session; without us it would only gather what we are subscribed to.
        if link.version == .v5, configuration.sessionExpiry > .zero, !configuration.endpointsShareSessions {
            goodbye.properties.sessionExpiryInterval = 0
        }
        leave(.ended(.returning, after: link.upSince.duration(to: .now)), goodbye)
    }
}
