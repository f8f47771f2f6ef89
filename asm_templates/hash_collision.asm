;! title    = "type switch where another type has the same hash: what the comparison of the types is for"
;! heap     = "eface"
;! types    = "main.T{t}"
;! params   = { go = ["1.27", "1.26", "1.25", "1.22", "1.19", "1.10"], cases = [1], hit = ["default", "first"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "go-internals II, Type switches: why hashes and pointers are compared"

; main.T1 has the hash of main.T0 here: its descriptor is replaced. A switch with the one case T0 finds the
; hash right for both, and only the address of the type tells them apart. Among some thousands of types
; two may well share 32 bits; in a program of two a collision has to be made.

body:                                   ; rax = type, rbx = data
        test rax, rax
        je   other
{% if go_minor <= 12 %}
        mov  ecx, [rax + 16]            ; _type.hash
        cmp  ecx, {{ types[0].hash }}       ; hash of {{ types[0].name }}
        jne  differs
        lea  rdx, ["type.{{ types[0].name }}"]
        cmp  rdx, rax
site:   jne  shared
        mov  edx, [rbx]
again:  jne  other
        lea  eax, [rdx + 1]
        jmp  done
{% else %}
        cmp  dword [rax + 16], {{ types[0].hash }}       ; _type.hash, hash of {{ types[0].name }}
        jne  other
        lea  rcx, ["type.{{ types[0].name }}"]
        cmp  rax, rcx
site:   jne  other
        mov  eax, [rbx]
        add  eax, 1
        jmp  done
{% endif %}
other:  mov  eax, [rbx]                 ; the type that is no case
        add  eax, 2
{% if go_minor <= 12 %}
        jmp  done
shared: mov  edx, 0                     ; the value of an assertion that failed
        jmp  again
differs:
        lea  rdx, ["type.{{ types[0].name }}"]
        jmp  other
{% endif %}
done:

data "type.{{ types[1].name }}":
        dq   4, 0
        dd   hash("{{ types[0].name }}"), 0
        dq   0, 0, 0
