// MQTT.js, told what to do line by line: see PROTOCOL.md.
'use strict'
const fs = require('fs')
const readline = require('readline')
const mqtt = require('mqtt')

const names = {
  1: 'payloadFormatIndicator', 2: 'messageExpiryInterval', 3: 'contentType', 8: 'responseTopic',
  9: 'correlationData', 11: 'subscriptionIdentifier', 17: 'sessionExpiryInterval', 18: 'assignedClientIdentifier',
  19: 'serverKeepAlive', 21: 'authenticationMethod', 22: 'authenticationData', 23: 'requestProblemInformation',
  24: 'willDelayInterval', 25: 'requestResponseInformation', 26: 'responseInformation', 28: 'serverReference',
  31: 'reasonString', 33: 'receiveMaximum', 34: 'topicAliasMaximum', 35: 'topicAlias', 36: 'maximumQoS',
  37: 'retainAvailable', 38: 'userProperties', 39: 'maximumPacketSize', 40: 'wildcardSubscriptionAvailable',
  41: 'subscriptionIdentifiersAvailable', 42: 'sharedSubscriptionAvailable'
}
const flags = new Set([1, 23, 25, 37, 40, 41, 42])
const data = new Set([9, 22])
const texts = new Set([3, 8, 18, 21, 26, 28, 31])
const clients = new Map()

const table = Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? n >>> 1 ^ 0xEDB88320 : n >>> 1
  return n >>> 0
})

function crc32 (bytes) {
  let crc = ~0
  for (const byte of bytes) crc = table[(crc ^ byte) & 255] ^ crc >>> 8
  return (~crc >>> 0).toString(16).padStart(8, '0')
}

function encoded (value) {
  let text = ''
  for (const byte of Buffer.isBuffer(value) ? value : Buffer.from(String(value))) {
    const character = String.fromCharCode(byte)
    text += /[A-Za-z0-9._~/-]/.test(character) ? character : '%' + byte.toString(16).toUpperCase().padStart(2, '0')
  }
  return text
}

function decoded (text) {
  const bytes = []
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '%') {
      bytes.push(parseInt(text.slice(i + 1, i + 3), 16))
      i += 2
    } else {
      bytes.push(text.charCodeAt(i))
    }
  }
  return Buffer.from(bytes)
}

function say (start, fields = []) {
  process.stdout.write([start, ...fields.map(([key, value]) => `${key}=${value}`)].join(' ') + '\n')
}

function summary (payload) {
  return payload.length > 64 ? ['digest', `${payload.length}:${crc32(payload)}`] : ['payload', encoded(payload)]
}

// A library's properties as fields.
function told (properties) {
  const fields = []
  for (const [identifier, name] of Object.entries(names)) {
    const value = properties && properties[name]
    if (value === undefined || value === null) continue
    if (identifier === '38') {
      for (const [key, values] of Object.entries(value)) {
        for (const one of [].concat(values)) fields.push(['p38', encoded(`${key}\0${one}`)])
      }
    } else {
      for (const one of [].concat(value)) fields.push([`p${identifier}`, encoded(one === true ? 1 : one === false ? 0 : one)])
    }
  }
  return fields
}

// Fields as a library's properties.
function wanted (fields, letter = 'p') {
  let properties
  for (const [key, value] of fields) {
    if (key[0] !== letter || !/^\d+$/.test(key.slice(1))) continue
    const identifier = Number(key.slice(1))
    properties = properties || {}
    if (identifier === 38) {
      const [name, text] = value.toString().split('\0')
      const all = properties.userProperties = properties.userProperties || {}
      all[name] = name in all ? [].concat(all[name], text) : text
    } else if (data.has(identifier)) {
      properties[names[identifier]] = value
    } else if (texts.has(identifier)) {
      properties[names[identifier]] = value.toString()
    } else {
      properties[names[identifier]] = flags.has(identifier) ? value.toString() === '1' : Number(value)
    }
  }
  return properties
}

const verbs = {
  connect (name, values, fields, done) {
    const get = (key, otherwise) => key in values ? values[key].toString() : otherwise
    const version = Number(get('version', '4'))
    const transport = get('transport', 'tcp')
    const options = {
      protocol: { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' }[transport],
      protocolVersion: version,
      protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
      host: get('host'),
      port: Number(get('port')),
      clientId: get('id', ''),
      clean: get('clean', '1') === '1',
      keepalive: Number(get('keepalive', '60')),
      reconnectPeriod: 0,
      username: get('user'),
      password: get('password')
    }
    if (transport.startsWith('ws')) options.path = '/mqtt'
    for (const key of ['ca', 'cert', 'key']) if (key in values) options[key] = fs.readFileSync(get(key))
    if ('willtopic' in values) {
      options.will = {
        topic: get('willtopic'), payload: values.willpayload || Buffer.alloc(0), qos: Number(get('willqos', '0')), retain: get('willretain') === '1'
      }
      if (version === 5) options.will.properties = wanted(fields, 'w') || {}
    }
    if (version === 5) {
      options.properties = wanted(fields) || {}
      // It adds what it needs for itself.
      options.topicAliasMaximum = options.properties.topicAliasMaximum
      delete options.properties.topicAliasMaximum
    }
    const client = mqtt.connect(options)
    clients.set(name, client)
    let answered = false
    let code
    client.on('connect', connack => {
      answered = true
      done(null, [['present', connack.sessionPresent ? 1 : 0], ...told(connack.properties)])
    })
    client.on('message', (topic, payload, packet) => say(`message ${name}`, [
      ['topic', encoded(topic)], ['qos', packet.qos], ['retain', packet.retain ? 1 : 0], summary(payload), ...told(packet.properties)]))
    client.on('disconnect', packet => { code = packet.reasonCode })
    client.on('error', error => {
      if (!answered) done(new Error(error.code !== undefined ? `refused: ${error.code}` : error.message))
      answered = true
    })
    client.on('close', () => {
      if (!answered) done(new Error('closed'))
      else if (!client.isTold) say(`ended ${name}`, code === undefined ? [] : [['code', code]])
      client.isTold = true
      answered = true
    })
  },

  subscribe (name, values, fields, done) {
    const options = { qos: Number(values.qos || 0) }
    if (clients.get(name).options.protocolVersion === 5) {
      options.nl = String(values.nl) === '1'
      options.rap = String(values.rap) === '1'
      options.rh = Number(values.rh || 0)
      options.properties = wanted(fields)
    }
    clients.get(name).subscribe(values.filter.toString(), options, (error, granted) =>
      done(error, error ? [] : [['code', granted.length ? granted[0].qos : 128]]))
  },

  unsubscribe (name, values, fields, done) {
    clients.get(name).unsubscribe(values.filter.toString(), error => done(error, []))
  },

  publish (name, values, fields, done) {
    const options = { qos: Number(values.qos || 0), retain: String(values.retain) === '1' }
    const properties = wanted(fields)
    if (properties) options.properties = properties
    const count = 'count' in values ? Number(values.count) : 1
    let open = count
    let failure
    const one = payload => clients.get(name).publish(values.topic.toString(), payload, options, error => {
      failure = failure || error
      if (--open === 0) done(failure, [])
    })
    if ('count' in values) for (let index = 0; index < count; index++) one(String(index))
    else one('file' in values ? fs.readFileSync(values.file.toString()) : values.payload || Buffer.alloc(0))
  },

  disconnect (name, values, fields, done) {
    const client = clients.get(name)
    client.isTold = true
    const options = {}
    if ('reason' in values) options.reasonCode = Number(values.reason)
    const properties = wanted(fields)
    if (properties) options.properties = properties
    client.end(false, options, () => done(null, []))
  }
}

readline.createInterface({ input: process.stdin }).on('line', line => {
  const [number, verb, name, ...rest] = line.split(' ')
  const fields = rest.map(field => {
    const place = field.indexOf('=')
    return [field.slice(0, place), decoded(field.slice(place + 1))]
  })
  const done = (error, answer = []) =>
    error ? say(`${number} failed`, [['text', encoded(error.message)]]) : say(`${number} ok`, answer)
  try {
    verbs[verb](name, Object.fromEntries(fields), fields, done)
  } catch (error) {
    done(error)
  }
}).on('close', () => process.exit())
