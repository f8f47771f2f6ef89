; The write barrier in front of a pointer's store, as each release's compiler makes it. While the collector marks, it is
; told the pointer that is overwritten and the new one.
;
;       barriers.store(new, old, at, slow)      `new` is the register that will be stored, none where it is a
;                                               constant's address; `old` takes what stands at `at`
;       barriers.slow(new, at, slow, load)      the function of that way, which ends at the label `stored`, behind the
;                                               store; `load` puts the constant's address into `new`
;
; Since Go 1.21 the jump is taken where the flag is clear, and what tells the collector stands in line; before, the
; jump went to `slow` where it is set, and the call there also stored. What comes behind is the store.
{% macro store(new, old, at, slow, flag="ecx") %}
{% if go_minor >= 21 %}
        cmp  dword ["runtime.writeBarrier"], 0
        je   keep                       ; off: over what tells the collector of the old pointer and the new one
        mov  {{ old }}, {{ at }}
        call "runtime.gcWriteBarrier{{ 2 if new else 1 }}"  ; answers in r11
{% if new %}
        mov  [r11], {{ new }}
        mov  [r11 + 8], {{ old }}
{% else %}
        mov  [r11], {{ old }}
{% endif %}
{% else %}
{% if go_minor >= 12 %}
        cmp  dword ["runtime.writeBarrier"], 0
{% else %}
        mov  {{ flag }}, ["runtime.writeBarrier"]
        test {{ flag }}, {{ flag }}
{% endif %}
        jne  {{ slow }}
{% endif %}
keep:
{% endmacro %}

{% macro slow(new, at, slow, load="") %}
{% if go_minor <= 20 %}
func "main.{{ slow }}":
{{ slow }}:
        lea  rdi, {{ at }}
        {{ load }}
{% if new == "rax" %}
        call "runtime.gcWriteBarrier"
{% elif go_minor >= 15 %}
        call "runtime.gcWriteBarrier{{ new[1:] | upper }}"
{% else %}
        mov  rax, {{ new }}
        call "runtime.gcWriteBarrier"
{% endif %}
        jmp  stored
{% endif %}
{% endmacro %}
