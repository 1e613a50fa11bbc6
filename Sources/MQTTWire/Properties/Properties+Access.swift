public import NIOCore

// Typed access. Reading gives the first property of the kind, nil when there is none; writing replaces it where it
// stands, or appends it; writing nil removes it.
extension Properties {
    /// True: the payload is UTF-8.
    public var payloadFormatIndicator: Bool? {
        get { first { if case .payloadFormatIndicator(let value) = $0 { value } else { nil } } }
        set { replace(.payloadFormatIndicator, with: newValue.map(Property.payloadFormatIndicator)) }
    }

    /// Seconds.
    public var messageExpiryInterval: UInt32? {
        get { first { if case .messageExpiryInterval(let value) = $0 { value } else { nil } } }
        set { replace(.messageExpiryInterval, with: newValue.map(Property.messageExpiryInterval)) }
    }

    public var contentType: String? {
        get { first { if case .contentType(let value) = $0 { value } else { nil } } }
        set { replace(.contentType, with: newValue.map(Property.contentType)) }
    }

    public var responseTopic: TopicName? {
        get { first { if case .responseTopic(let value) = $0 { value } else { nil } } }
        set { replace(.responseTopic, with: newValue.map(Property.responseTopic)) }
    }

    public var correlationData: ByteBuffer? {
        get { first { if case .correlationData(let value) = $0 { value } else { nil } } }
        set { replace(.correlationData, with: newValue.map(Property.correlationData)) }
    }

    /// Seconds; 0xFFFFFFFF: never.
    public var sessionExpiryInterval: UInt32? {
        get { first { if case .sessionExpiryInterval(let value) = $0 { value } else { nil } } }
        set { replace(.sessionExpiryInterval, with: newValue.map(Property.sessionExpiryInterval)) }
    }

    public var assignedClientIdentifier: String? {
        get { first { if case .assignedClientIdentifier(let value) = $0 { value } else { nil } } }
        set { replace(.assignedClientIdentifier, with: newValue.map(Property.assignedClientIdentifier)) }
    }

    /// Seconds.
    public var serverKeepAlive: UInt16? {
        get { first { if case .serverKeepAlive(let value) = $0 { value } else { nil } } }
        set { replace(.serverKeepAlive, with: newValue.map(Property.serverKeepAlive)) }
    }

    public var authenticationMethod: String? {
        get { first { if case .authenticationMethod(let value) = $0 { value } else { nil } } }
        set { replace(.authenticationMethod, with: newValue.map(Property.authenticationMethod)) }
    }

    public var authenticationData: ByteBuffer? {
        get { first { if case .authenticationData(let value) = $0 { value } else { nil } } }
        set { replace(.authenticationData, with: newValue.map(Property.authenticationData)) }
    }

    public var requestProblemInformation: Bool? {
        get { first { if case .requestProblemInformation(let value) = $0 { value } else { nil } } }
        set { replace(.requestProblemInformation, with: newValue.map(Property.requestProblemInformation)) }
    }

    /// Seconds.
    public var willDelayInterval: UInt32? {
        get { first { if case .willDelayInterval(let value) = $0 { value } else { nil } } }
        set { replace(.willDelayInterval, with: newValue.map(Property.willDelayInterval)) }
    }

    public var requestResponseInformation: Bool? {
        get { first { if case .requestResponseInformation(let value) = $0 { value } else { nil } } }
        set { replace(.requestResponseInformation, with: newValue.map(Property.requestResponseInformation)) }
    }

    public var responseInformation: String? {
        get { first { if case .responseInformation(let value) = $0 { value } else { nil } } }
        set { replace(.responseInformation, with: newValue.map(Property.responseInformation)) }
    }

    public var serverReference: String? {
        get { first { if case .serverReference(let value) = $0 { value } else { nil } } }
        set { replace(.serverReference, with: newValue.map(Property.serverReference)) }
    }

    public var reasonString: String? {
        get { first { if case .reasonString(let value) = $0 { value } else { nil } } }
        set { replace(.reasonString, with: newValue.map(Property.reasonString)) }
    }

    /// 1 to 65,535 messages.
    public var receiveMaximum: UInt16? {
        get { first { if case .receiveMaximum(let value) = $0 { value } else { nil } } }
        set { replace(.receiveMaximum, with: newValue.map(Property.receiveMaximum)) }
    }

    public var topicAliasMaximum: UInt16? {
        get { first { if case .topicAliasMaximum(let value) = $0 { value } else { nil } } }
        set { replace(.topicAliasMaximum, with: newValue.map(Property.topicAliasMaximum)) }
    }

    /// 1 to 65,535.
    public var topicAlias: UInt16? {
        get { first { if case .topicAlias(let value) = $0 { value } else { nil } } }
        set { replace(.topicAlias, with: newValue.map(Property.topicAlias)) }
    }

    /// 0 or 1; absent means 2.
    public var maximumQoS: QoS? {
        get { first { if case .maximumQoS(let value) = $0 { value } else { nil } } }
        set { replace(.maximumQoS, with: newValue.map(Property.maximumQoS)) }
    }

    public var retainAvailable: Bool? {
        get { first { if case .retainAvailable(let value) = $0 { value } else { nil } } }
        set { replace(.retainAvailable, with: newValue.map(Property.retainAvailable)) }
    }

    /// Bytes, at least 1.
    public var maximumPacketSize: UInt32? {
        get { first { if case .maximumPacketSize(let value) = $0 { value } else { nil } } }
        set { replace(.maximumPacketSize, with: newValue.map(Property.maximumPacketSize)) }
    }

    public var wildcardSubscriptionAvailable: Bool? {
        get { first { if case .wildcardSubscriptionAvailable(let value) = $0 { value } else { nil } } }
        set { replace(.wildcardSubscriptionAvailable, with: newValue.map(Property.wildcardSubscriptionAvailable)) }
    }

    public var subscriptionIdentifiersAvailable: Bool? {
        get { first { if case .subscriptionIdentifiersAvailable(let value) = $0 { value } else { nil } } }
        set {
            replace(.subscriptionIdentifiersAvailable, with: newValue.map(Property.subscriptionIdentifiersAvailable))
        }
    }

    public var sharedSubscriptionAvailable: Bool? {
        get { first { if case .sharedSubscriptionAvailable(let value) = $0 { value } else { nil } } }
        set { replace(.sharedSubscriptionAvailable, with: newValue.map(Property.sharedSubscriptionAvailable)) }
    }

    /// Those of a PUBLISH, one for each subscription that matched; SUBSCRIBE has at most one. 1 to 268,435,455.
    public var subscriptionIdentifiers: [UInt32] {
        get { all.compactMap { if case .subscriptionIdentifier(let value) = $0 { value } else { nil } } }
        set { replaceAll(.subscriptionIdentifier, with: newValue.map(Property.subscriptionIdentifier)) }
    }

    /// In the order in which they stand; a name may occur more than once.
    public var userProperties: [(name: String, value: String)] {
        get { all.compactMap { if case .userProperty(let name, let value) = $0 { (name, value) } else { nil } } }
        set { replaceAll(.userProperty, with: newValue.map { .userProperty(name: $0.name, value: $0.value) }) }
    }

    /// The value of the first user property with this name.
    public func userProperty(_ name: String) -> String? {
        first { if case .userProperty(name, let value) = $0 { value } else { nil } }
    }

    private func first<Value>(_ pick: (Property) -> Value?) -> Value? {
        for property in all {
            if let value = pick(property) { return value }
        }
        return nil
    }

    private mutating func replace(_ identifier: PropertyIdentifier, with property: Property?) {
        switch (all.firstIndex { $0.identifier == identifier }, property) {
        case (let index?, let property?): all[index] = property
        case (nil, let property?): all.append(property)
        case (_?, nil): all.removeAll { $0.identifier == identifier }
        case (nil, nil): break
        }
    }

    private mutating func replaceAll(_ identifier: PropertyIdentifier, with properties: [Property]) {
        all.removeAll { $0.identifier == identifier }
        all += properties
    }
}
