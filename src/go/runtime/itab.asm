; From interface to interface: the itab of a type for an interface, out of the runtime's hash table. What the
; table has with an empty first method does not implement the interface. For what it does not have an itab is
; built where the type's descriptor has methods behind it; Go looks at that first.
{% if abi == "register" %}
func "runtime.(*itabTableType).find":   ; rax = table, rbx = interface, rcx = type
        mov  rdx, [rax]                 ; size
        dec  rdx
        mov  esi, [rbx + 16]            ; hash of the interface
        xor  esi, [rcx + 16]            ; hash of the type
        and  rsi, rdx
        mov  edi, 1
        jmp  probe
next:   add  rsi, rdi
        inc  rdi
        and  rsi, rdx
probe:  lea  r8, [rax + rsi * 8]
        lea  r8, [r8 + 16]
        mov  r8, [r8]
        test r8, r8
        je   none
        cmp  [r8], rbx                  ; itab.inter
        jne  next
        cmp  [r8 + 8], rcx              ; itab._type
        jne  next
        mov  rax, r8
        ret
none:   xor  eax, eax
        ret

func "runtime.getitab":                 ; rax = interface, rbx = type, cl = whether it may fail
{{- enter(56) }}
        mov  [rsp + 72], rax
        mov  [rsp + 80], rbx
        mov  [rsp + 88], cl
        mov  rdx, ["runtime.itabTable"]
        mov  rcx, rbx
        mov  rbx, rax
        mov  rax, rdx
        call "runtime.(*itabTableType).find"
        test rax, rax
        jne  there
        mov  rcx, [rsp + 80]
        test byte [rcx + 20], 1         ; type.tflag: methods follow
        je   none
        mov  rbx, [rsp + 72]
{{- of_the_module("rbx", "rcx", "none") }}
        lea  rax, ["runtime.itabLock"]
        call "runtime.{{ lock }}"
        mov  rax, ["runtime.itabTable"] ; another thread may have been there in between
        mov  rbx, [rsp + 72]
        mov  rcx, [rsp + 80]
        call "runtime.(*itabTableType).find"
        mov  [rsp + 48], rax
        test rax, rax
        jne  known
        mov  rcx, [rsp + 72]
        mov  rcx, [rcx + 64]            ; how many methods the interface has
        lea  rax, [rcx * 8 + 24]
        call "runtime.persistentalloc"
        mov  [rsp + 48], rax
        mov  rcx, [rsp + 72]
        mov  [rax], rcx                 ; itab.inter
        mov  rcx, [rsp + 80]
        mov  [rax + 8], rcx             ; itab._type
        mov  dword [rax + 16], 0        ; itab.hash: no switch sees this itab
{% if go_minor >= 23 %}
        mov  ebx, 1
{% endif %}
        call "runtime.{{ adder }}"
        mov  rax, [rsp + 48]
        call "runtime.itabAdd"
known:  lea  rax, ["runtime.itabLock"]
        call "runtime.{{ unlock }}"
        mov  rax, [rsp + 48]
        jmp  there
none:   movzx ecx, byte [rsp + 88]
        test cl, cl
        je   panic
        xor  eax, eax
{{- leave(56) }}
panic:  mov  rax, [rsp + 80]
        mov  rbx, [rsp + 72]
        call "runtime.panicmissingmethod"
        nop
there:  cmp  qword [rax + 24], 0        ; itab.fun[0]
        jne  whole
        movzx ecx, byte [rsp + 88]
        test cl, cl
        je   panic
        xor  eax, eax
{{- leave(56) }}
whole:
{{- leave(56) }}
{{- grow() }}

{% if go_minor <= 21 %}
{% for name in ["convI2I", "assertI2I"] %}
func "runtime.{{ name }}":              ; rax = interface, rbx = itab; the itab in rax
{{- enter(24) }}
        test rbx, rbx
        je   nil
        cmp  [rbx], rax                 ; itab.inter: already this interface
        jne  other
        mov  rax, rbx
{{- leave(24) }}
other:  mov  rbx, [rbx + 8]             ; itab._type
        xor  ecx, ecx
        call "runtime.getitab"
{{- leave(24) }}
{% if name == "convI2I" %}
nil:    xor  eax, eax
{{- leave(24) }}
{% else %}
nil:    call "runtime.panicnildottype"
        nop
{% endif %}
{{- grow() }}
{% endfor %}

func "runtime.assertE2I":               ; rax = interface, rbx = type; the itab in rax
{{- enter(24) }}
        test rbx, rbx
        je   nil
        xor  ecx, ecx
        call "runtime.getitab"
{{- leave(24) }}
nil:    call "runtime.panicnildottype"
        nop
{{- grow() }}

{% for name in ["assertE2I2", "assertI2I2"] %}
func "runtime.{{ name }}":              ; rax = interface, rbx = type or itab, rcx = data; both words back
{{- enter(32) }}
        mov  [rsp + 56], rbx
        mov  [rsp + 64], rcx
        test rbx, rbx
        je   nil
{% if name == "assertI2I2" %}
        mov  rbx, [rbx + 8]             ; itab._type
{% endif %}
        mov  ecx, 1
        call "runtime.getitab"
        test rax, rax
        je   nil
        mov  rbx, [rsp + 64]
{{- leave(32) }}
nil:    xor  eax, eax
        xor  ebx, ebx
{{- leave(32) }}
{{- grow() }}
{% endfor %}
{% else %}
func "runtime.typeAssert":              ; rax = descriptor of the call site, rbx = type; the itab in rax
{{- enter(40) }}
        test rbx, rbx
        je   nil
        mov  [rsp + 56], rax
        mov  [rsp + 64], rbx
        movzx ecx, byte [rax + 16]      ; whether it may fail
        mov  rax, [rax + 8]             ; the interface
        call "runtime.getitab"
        mov  [rsp + 24], rax
        call "runtime.cheaprand"        ; one call in 1024 goes on
        test eax, 1023
        jne  done
        call "runtime.cheaprand"        ; and of those one in as many as the cache has entries
        mov  rdx, [rsp + 56]
        mov  rdx, [rdx]
        test [rdx], eax
        jne  done
        mov  rax, rdx
        mov  rbx, [rsp + 64]
        mov  rcx, [rsp + 24]
        call "runtime.buildTypeAssertCache"
        mov  rdx, [rsp + 56]
        mov  [rdx], rax
done:   mov  rax, [rsp + 24]
{{- leave(40) }}
nil:    cmp  byte [rax + 16], 0
        je   panic
        xor  eax, eax
{{- leave(40) }}
panic:  mov  rax, [rax + 8]
        call "runtime.panicnildottype"
        nop
{{- grow() }}

func "runtime.interfaceSwitch":         ; rax = descriptor of the switch, rbx = type; case and itab in rax, rbx
{{- enter(56) }}
        mov  [rsp + 72], rax
        mov  [rsp + 80], rbx
        xor  edx, edx
        jmp  first
next:   mov  rax, [rcx + rdx*8 + 16]    ; the interface of the case
        mov  rbx, [rsp + 80]
        mov  ecx, 1
        call "runtime.getitab"
        test rax, rax
        jne  found
        mov  rdx, [rsp + 24]
        inc  rdx
first:  mov  [rsp + 24], rdx            ; the case
        mov  rcx, [rsp + 72]
        cmp  rdx, [rcx + 8]             ; how many there are
        jl   next
        xor  eax, eax
found:  mov  [rsp + 32], rax
        call "runtime.cheaprand"        ; as in typeAssert
        test eax, 1023
        jne  done
        call "runtime.cheaprand"
        mov  rdx, [rsp + 72]
        mov  rdx, [rdx]
        test [rdx], eax
        jne  done
        mov  rax, rdx
        mov  rbx, [rsp + 80]
        mov  rcx, [rsp + 24]
        mov  rdi, [rsp + 32]
        call "runtime.buildInterfaceSwitchCache"
        mov  rdx, [rsp + 72]
        mov  [rdx], rax
done:   mov  rax, [rsp + 24]
        mov  rbx, [rsp + 32]
{{- leave(56) }}
{{- grow() }}

; A new cache with one type more: twice as many entries as types, a power of two. It takes its place in
; memory that is never given back; where that is used up, the old cache stays.
{% for name, words in [("TypeAssert", 2), ("InterfaceSwitch", 3)] %}
{% set bytes = 8 * words %}
func "runtime.build{{ name }}Cache":    ; rax = cache, rbx = type, rcx = {{ "itab" if words == 2 else "case, rdi = itab" }}; the new one in rax
        mov  [rsp + 8], rbx             ; the new entry, in the caller's spill area
        mov  [rsp + 16], rcx
{% if words == 3 %}
        mov  [rsp + 24], rdi
{% endif %}
        mov  rsi, [rax]                 ; mask
        imul rsi, rsi, {{ bytes }}
        lea  rsi, [rax + rsi + {{ 8 + bytes }}]    ; end of the entries
        lea  rdx, [rax + 8]
        mov  r8d, 2                     ; twice the types
count:  cmp  qword [rdx], 0
        je   vacant
        add  r8, 2
vacant: add  rdx, {{ bytes }}
        cmp  rdx, rsi
        jb   count
        mov  r9d, 1
double: add  r9, r9
        cmp  r9, r8
        jb   double
        imul r8, r9, {{ bytes }}
        mov  rdx, ["runtime.siteCaches"] ; where the last cache ended
        lea  r8, [r8 + rdx + 8]
        cmp  r8, {{ site_caches_bytes }}
        ja   full
        mov  ["runtime.siteCaches"], r8
        lea  r10, ["runtime.siteCaches" + 8]
        add  r10, rdx
        dec  r9
        mov  [r10], r9                  ; mask
        lea  rdx, [rax + 8]
entry:  mov  r11, [rdx]                 ; type
        test r11, r11
        je   placed
        mov  r8d, [r11 + 16]            ; type.hash
probe:  and  r8, r9
        imul rax, r8, {{ bytes }}
        add  rax, r10
        inc  r8
        cmp  qword [rax + 8], 0
        jne  probe
        mov  [rax + 8], r11
{% for word in range(1, words) %}
        mov  r11, [rdx + {{ 8 * word }}]
        mov  [rax + {{ 8 + 8 * word }}], r11
{% endfor %}
placed: add  rdx, {{ bytes }}
        cmp  rdx, rsi
        jne  entry
        lea  rdx, [rsp + 8]             ; behind the old entries the new one
        lea  r8, [rsp + {{ 8 + bytes }}]
        cmp  rsi, r8
        mov  rsi, r8
        jne  entry
        mov  rax, r10
full:   ret
{% endfor %}

func "runtime.cheaprand":               ; a random number in eax: wyrand
        mov  rax, 0xa0761d6478bd642f
        add  rax, ["runtime.cheaprandState"]
        mov  ["runtime.cheaprandState"], rax
        mov  rdx, 0xe7037ed1a0b428db
        xor  rdx, rax
        mul  rdx
        xor  eax, edx
        ret
data "runtime.cheaprandState": dq 1     ; a field of m in Go, and different in each run
{% endif %}
{% else %}
{% if go_minor >= 10 %}
func "runtime.(*itabTableType).find":   ; [rsp + 8] = table, interface, type; the itab at 32
        mov  rax, [rsp + 8]
        mov  rdx, [rax]                 ; size
        dec  rdx
        mov  rbx, [rsp + 16]
        mov  rcx, [rsp + 24]
        mov  esi, [rbx + 16]            ; hash of the interface
        xor  esi, [rcx + 16]            ; hash of the type
        and  rsi, rdx
        mov  edi, 1
        jmp  probe
next:   add  rsi, rdi
        inc  rdi
        and  rsi, rdx
probe:  lea  r8, [rax + rsi * 8 + 16]
        mov  r8, [r8]
        test r8, r8
        je   none
        cmp  [r8], rbx                  ; itab.inter
        jne  next
        cmp  [r8 + 8], rcx              ; itab._type
        jne  next
none:   mov  [rsp + 32], r8
        ret

func "runtime.getitab":                 ; [rsp + 8] = interface, type, whether it may fail; the itab at 32
{{- enter(40) }}
        mov  rax, ["runtime.itabTable"]
        mov  [rsp], rax
        mov  rax, [rsp + 56]
        mov  [rsp + 8], rax
        mov  rax, [rsp + 64]
        mov  [rsp + 16], rax
        call "runtime.(*itabTableType).find"
        mov  rax, [rsp + 24]
        test rax, rax
        je   absent
there:  cmp  qword [rax + 24], 0        ; itab.fun[0]
        je   none
done:   mov  [rsp + 80], rax
{{- leave(40) }}
absent: mov  rcx, [rsp + 64]
        test byte [rcx + 20], 1         ; type.tflag: methods follow
        je   none
        mov  rdx, [rsp + 56]
{{- of_the_module("rdx", "rcx", "none") }}
        lea  rax, ["runtime.itabLock"]
        mov  [rsp], rax
        call "runtime.{{ lock }}"
        mov  rax, ["runtime.itabTable"] ; another thread may have been there in between
        mov  [rsp], rax
        mov  rax, [rsp + 56]
        mov  [rsp + 8], rax
        mov  rax, [rsp + 64]
        mov  [rsp + 16], rax
        call "runtime.(*itabTableType).find"
        mov  rax, [rsp + 24]
        mov  [rsp + 32], rax
        test rax, rax
        jne  known
        mov  rcx, [rsp + 56]
        mov  rcx, [rcx + 64]            ; how many methods the interface has
        lea  rax, [rcx * 8 + 24]
        mov  [rsp], rax
        call "runtime.persistentalloc"
        mov  rax, [rsp + 24]
        mov  [rsp + 32], rax
        mov  rcx, [rsp + 56]
        mov  [rax], rcx                 ; itab.inter
        mov  rcx, [rsp + 64]
        mov  [rax + 8], rcx             ; itab._type
        mov  ecx, [rcx + 16]
        mov  [rax + 16], ecx            ; itab.hash
        mov  [rsp], rax
        call "runtime.{{ adder }}"
        mov  rax, [rsp + 32]
        mov  [rsp], rax
        call "runtime.itabAdd"
known:  lea  rax, ["runtime.itabLock"]
        mov  [rsp], rax
        call "runtime.{{ unlock }}"
        mov  rax, [rsp + 32]
        jmp  there
none:   xor  eax, eax
        cmp  byte [rsp + 72], 0
        jne  done
        mov  rax, [rsp + 64]
        mov  [rsp], rax
        mov  rax, [rsp + 56]
        mov  [rsp + 8], rax
        call "runtime.panicmissingmethod"
        ud2
{{- grow() }}
{% else %}
; Up to Go 1.9 the table is an array of chains: each itab has a link to the one that was there before it.
func "runtime.getitab":                 ; [rsp + 8] = interface, type, whether it may fail; the itab at 32
{{- enter(40) }}
        mov  rcx, [rsp + 56]
        mov  rdx, [rsp + 64]
{{- chain_of() }}
        mov  rdx, [rsp + 64]
        lea  rax, ["runtime.hash"]
        mov  rax, [rax + r8*8]
chain:  test rax, rax
        je   absent
        cmp  [rax], rcx                 ; itab.inter
        jne  next
        cmp  [rax + 8], rdx             ; itab._type
        je   there
next:   mov  rax, [rax + 16]            ; itab.link
        jmp  chain
there:  cmp  byte [rax + 28], 0         ; itab.bad
        jne  none
done:   mov  [rsp + 80], rax
{{- leave(40) }}
absent: test byte [rdx + 20], 1         ; type.tflag: methods follow
        je   none
{{- of_the_module("rcx", "rdx", "none") }}
        mov  [rsp + 32], r8
        lea  rax, ["runtime.itabLock"]
        mov  [rsp], rax
        call "runtime.lock"
        mov  rcx, [rsp + 56]
        mov  rdx, [rsp + 64]
        mov  r8, [rsp + 32]
        lea  rax, ["runtime.hash"]      ; another thread may have been there in between
        mov  rax, [rax + r8*8]
again:  test rax, rax
        je   new
        cmp  [rax], rcx
        jne  further
        cmp  [rax + 8], rdx
        je   known
further: mov rax, [rax + 16]
        jmp  again
new:    mov  rcx, [rcx + 64]            ; how many methods the interface has
        lea  rax, [rcx * 8 + 32]
        mov  [rsp], rax
        call "runtime.persistentalloc"
        mov  rax, [rsp + 24]
        mov  rcx, [rsp + 56]
        mov  [rax], rcx
        mov  rcx, [rsp + 64]
        mov  [rax + 8], rcx
        mov  dword [rax + 28], 0        ; neither bad nor in the table yet
        mov  [rsp + 32], rax
        mov  [rsp], rax
        mov  byte [rsp + 8], 1
        movzx ecx, byte [rsp + 72]
        mov  [rsp + 9], cl
        call "runtime.additab"
        mov  rax, [rsp + 32]
known:  mov  [rsp + 32], rax
        lea  rax, ["runtime.itabLock"]
        mov  [rsp], rax
        call "runtime.unlock"
        mov  rax, [rsp + 32]
        jmp  there
none:   xor  eax, eax
        cmp  byte [rsp + 72], 0
        jne  done
        mov  rax, [rsp + 64]
        mov  [rsp], rax
        mov  rax, [rsp + 56]
        mov  [rsp + 8], rax
        call "runtime.panicmissingmethod"
        ud2
{{- grow() }}
{% endif %}

{% for name in ["convI2I", "assertI2I", "assertE2I", "assertI2I2", "assertE2I2"] %}
{% set may_fail = name in ["assertI2I2", "assertE2I2"] %}
func "runtime.{{ name }}":              ; [rsp + 8] = interface, both words; both words back at 32{{ ", and whether" if may_fail else "" }}
{{- enter(32) }}
        mov  rax, [rsp + 56]
        test rax, rax
        je   nil
{% if name not in ["assertE2I", "assertE2I2"] %}
        mov  rcx, [rsp + 48]
        cmp  [rax], rcx                 ; itab.inter: already this interface
        je   found
        mov  rax, [rax + 8]             ; itab._type
{% endif %}
        mov  [rsp + 8], rax
        mov  rax, [rsp + 48]
        mov  [rsp], rax
        mov  byte [rsp + 16], {{ 1 if may_fail else 0 }}
        call "runtime.getitab"
        mov  rax, [rsp + 24]
{% if may_fail %}
        test rax, rax
        je   nil
{% endif %}
found:  mov  [rsp + 72], rax
        mov  rax, [rsp + 64]
        mov  [rsp + 80], rax
{% if may_fail %}
        mov  byte [rsp + 88], 1
{% endif %}
{{- leave(32) }}
{% if name in ["assertI2I", "assertE2I"] %}
nil:    mov  rax, [rsp + 48]
        mov  [rsp], rax
        call "runtime.panicnildottype"
        ud2
{% else %}
nil:    xor  eax, eax
        mov  [rsp + 72], rax
        mov  [rsp + 80], rax
{% if may_fail %}
        mov  byte [rsp + 88], 0
{% endif %}
{{- leave(32) }}
{% endif %}
{{- grow() }}
{% endfor %}
{% endif %}
